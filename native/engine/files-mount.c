// SPDX-License-Identifier: Apache-2.0
/*
 * What a mount at the place of a rule would let a call do (fs/namei.c,
 * fs/namespace.c): EROFS, EXDEV across a border, EBUSY for the border itself.
 */
#include "files-call.h"
#include "layers.h"
#include "sys.h"
#include "text.h"

enum rule_mode found_mode(const struct found *f)
{
	return f->native ? RULE_HOST : f->mode;
}

/* The mode of what is there, 0 = nothing. */
unsigned int mode_there(const struct found *f, bool follow)
{
	struct file_status st;

	return SYS(__NR_newfstatat, AT_FDCWD, f->real, &st,
		   follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0 ? st.mode : 0;
}

bool mode_is_directory(unsigned int mode)
{
	return (mode & S_IFMT) == S_IFDIR;
}

bool is_special(unsigned int mode)
{
	unsigned int type = mode & S_IFMT;

	return type != S_IFREG && type != S_IFDIR && type != S_IFLNK;
}

/* A slash would follow a link. */
long status_of_name(const struct found *f, struct file_status *st)
{
	char bare[sizeof(f->real)];
	size_t n;

	text_copy(bare, sizeof(bare), f->real);
	for (n = strlen(bare); n > 1 && bare[n - 1] == '/';)
		bare[--n] = 0;
	return SYS(__NR_newfstatat, AT_FDCWD, bare, st, AT_SYMLINK_NOFOLLOW);
}

unsigned int mode_of_name(const struct found *f)
{
	struct file_status st;

	return status_of_name(f, &st) == 0 ? st.mode : 0;
}

/* How the directory is missing that the last name should be in, or 0. */
long parent_missing(const struct found *f)
{
	char parent[PATH_SIZE + 2];
	struct file_status st;
	long result;
	char *slash;

	if (!f->native && (layers_apply(f->rule) || layers_merged(f->rule)))
		return layers_parent(f->rule, f->location, f->dots);
	text_copy(parent, sizeof(parent), f->real);
	for (slash = strrchr(parent, '/'); slash && !slash[1] && slash > parent;
	     slash = strrchr(parent, '/'))
		*slash = 0;
	if (!slash)
		return 0;
	slash[1] = 0;
	result = SYS(__NR_newfstatat, AT_FDCWD, parent, &st, 0);
	return result < 0 ? result : 0;
}

/* The rule whose "mount" @f is in; the border's own name is in the one around,
 * unless it is asked for what lies there (@itself). */
uint32_t side_of(const struct found *f, bool itself)
{
	uint32_t rule = f->native ? NO_RULE : f->rule;
	struct rule r;

	if (rule == NO_RULE)
		return NO_RULE;
	r = rule_get(rules_now(), rule);
	if ((f->border && !itself) || (r.exact && r.mode == RULE_WRITE_COPY))
		rule = r.outer;
	if (rule != NO_RULE && rule_get(rules_now(), rule).mode == RULE_HOST)
		rule = NO_RULE;
	return rule;
}

bool rule_read_only(uint32_t rule)
{
	return rule != NO_RULE &&
	       rule_get(rules_now(), rule).mode == RULE_READ_ONLY;
}

/* Removing the border's name, as a mount point's. */
long border_remains(const struct found *f, bool as_directory)
{
	unsigned int mode = mode_of_name(f);
	bool directory = mode_is_directory(mode);

	if (!mode)
		return -ENOENT;
	if (directory != as_directory || (f->directory && !directory))
		return directory ? -EISDIR : -ENOTDIR;
	return -EBUSY;
}

/* What stands in the way of @use: 0 or -errno, in the kernel's order. */
long use_forbidden(const struct found *f, enum use use, bool follow)
{
	enum rule_mode mode = found_mode(f);
	long missing;

	if (mode == RULE_HIDE)
		return use == USE_MAKE && f->border ? -EROFS : -ENOENT;
	if (use == USE_READ || f->dots)
		return 0;
	if (use == USE_CHANGE)
		return mode == RULE_READ_ONLY && mode_there(f, follow) ? -EROFS
								       : 0;
	if (!rule_read_only(side_of(f, false)))
		return 0;
	missing = parent_missing(f);
	if (missing < 0)
		return missing;
	return use == USE_MAKE && mode_of_name(f) ? -EEXIST : -EROFS;
}
