// SPDX-License-Identifier: Apache-2.0
/*
 * Names that the kernel gives back: what it calls by the real path is told as
 * the application knows it, and directories list what rules add and hide.
 */
#include "dispatch.h"
#include "exe.h"
#include "files.h"
#include "gate.h"
#include "layers.h"
#include "names.h"
#include "paths.h"
#include "places.h"
#include "root.h"
#include "sys.h"
#include "text.h"

#define SEEK_CUR 1
#define NAME_BYTES 255

static long call_getcwd(struct record *r)
{
	char path[PATH_SIZE], location[PATH_SIZE];
	long n = SYS(__NR_getcwd, path, sizeof(path));

	if (n < 0)
		return n;
	path_location(path, sizeof(path), places_rule(AT_FDCWD));
	if (!root_name(path)) {
		text_copy(location, sizeof(location), path);
		text_join(path, sizeof(path), "(unreachable)", location);
	}
	n = (long)strlen(path) + 1;
	if ((unsigned long)n > r->rsi)
		return -ERANGE;
	return copy_bytes((void *)r->rdi, path, (size_t)n) < 0 ? -EFAULT : n;
}

/* Links of /proc that name what is open or where a process is. */
static bool is_proc_link(const char *path)
{
	const char *name = text_base(path);

	if (strncmp(path, "/proc/", 6) != 0)
		return false;
	return strcmp(name, "cwd") == 0 || strcmp(name, "exe") == 0 ||
	       strcmp(name, "root") == 0 || strncmp(name - 3, "fd/", 3) == 0;
}

/* By which rule this process came to what such a link leads to. */
static uint32_t rule_of_link(const char *path)
{
	static const char fds[] = "/proc/self/fd/";
	int64_t fd;

	if (strcmp(path, "/proc/self/cwd") == 0)
		return places_rule(AT_FDCWD);
	if (strncmp(path, fds, sizeof(fds) - 1) == 0 &&
	    text_number(path + sizeof(fds) - 1, &fd) && fd >= 0)
		return places_rule(fd);
	return NO_RULE;
}

static long give(const char *text, unsigned long to, unsigned long size)
{
	size_t n = strlen(text);

	if ((int)size <= 0)
		return -EINVAL;
	if (n > size)
		n = size;
	return copy_bytes((void *)to, text, n) < 0 ? -EFAULT : (long)n;
}

static call_fn *readlink_by_path, *readlinkat_by_path;

static long link_of(struct record *r, long fd, unsigned long path,
		    unsigned long to, unsigned long size, call_fn *otherwise)
{
	char name[EXE_NAME], text[PATH_SIZE];
	long n = copy_text(name, (const char *)path, sizeof(name));

	if (n <= 0)
		return otherwise(r);
	exe_spell(fd, name);
	if (exe_known(name, text))
		return give(text, to, size);
	if (!files.on || root_changed() || !is_proc_link(name))
		return otherwise(r);
	n = SYS(__NR_readlinkat, AT_FDCWD, name, text, sizeof(text) - 1);
	if (n < 0)
		return n;
	text[n] = 0;
	path_location(text, sizeof(text), rule_of_link(name));
	return give(text, to, size);
}

static long call_readlink(struct record *r)
{
	return link_of(r, AT_FDCWD, r->rdi, r->rsi, r->rdx, readlink_by_path);
}

static long call_readlinkat(struct record *r)
{
	return link_of(r, (int)r->rdi, r->rsi, r->rdx, r->r10,
		       readlinkat_by_path);
}

static const char *added_name(const struct rule *r, size_t directory)
{
	return r->from + (directory == 1 ? 1 : directory + 1);
}

bool names_ruled(const char *directory, const char *name)
{
	size_t n = strlen(directory);

	for (uint32_t i = rule_below(rules_now(), directory, n, 0);
	     i != NO_RULE;
	     i = rule_below(rules_now(), directory, n, i + 1)) {
		struct rule r = rule_get(rules_now(), i);

		if (r.mode != RULE_HOST && strcmp(added_name(&r, n), name) == 0)
			return true;
	}
	return false;
}

static bool fill_entry(struct entry *e, uint32_t rule, const char *name)
{
	struct rule r = rule_get(rules_now(), rule);
	char real[PATH_SIZE];
	struct file_status st;
	size_t n = strlen(name);

	if (!path_real_of(real, sizeof(real), r.from, rule) ||
	    SYS(__NR_newfstatat, AT_FDCWD, real, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	e->ino = st.ino;
	e->type = (uint8_t)((st.mode & S_IFMT) >> 12);
	e->size = (uint16_t)ENTRY_SIZE(n);
	memset(e->name, 0, e->size - offsetof(struct entry, name));
	memcpy(e->name, name, n);
	return true;
}

bool names_added(struct entry *e, const char *directory, uint32_t *i)
{
	size_t n = strlen(directory);

	for (*i = rule_below(rules_now(), directory, n, *i); *i != NO_RULE;
	     *i = rule_below(rules_now(), directory, n, *i + 1)) {
		struct rule r = rule_get(rules_now(), *i);
		const char *name = added_name(&r, n);

		if (r.mode != RULE_HIDE && r.mode != RULE_HOST &&
		    strlen(name) <= NAME_BYTES && fill_entry(e, *i, name))
			return true;
	}
	return false;
}

/* What append() needs. */
static unsigned long room_for_added(const char *directory)
{
	char space[ENTRY_SIZE(NAME_BYTES)];
	struct entry *e = (struct entry *)(void *)space;
	unsigned long room = 0;

	for (uint32_t i = 0; names_added(e, directory, &i); i++)
		room += e->size;
	return room;
}

/* The first answer of a directory: the kernel would fill it. */
static long read_first(struct record *r, const char *directory)
{
	unsigned long size = r->rdx,
		      added = room_for_added(directory);
	long n = -EINVAL;

	if (added < (unsigned int)size) {
		r->rdx = (unsigned int)size - added;
		n = call_through(r);
		r->rdx = size;
	}
	return n == -EINVAL ? call_through(r) : n;
}

/* Appends what rules add; all of it is behind one offset of the kernel's, so
 * it goes into the first answer or, without room, nowhere. */
static long append(unsigned long to, long used, unsigned long size,
		   const char *directory, int64_t offset)
{
	char space[ENTRY_SIZE(NAME_BYTES)], before[NAME_BYTES + 1] = "";
	struct entry *e = (struct entry *)(void *)space;

	for (uint32_t i = 0; names_added(e, directory, &i); i++) {
		if (strcmp(e->name, before) == 0 ||
		    (unsigned long)used + e->size > size)
			continue;
		e->offset = offset;
		if (copy_bytes((char *)to + used, e, e->size) < 0)
			break;
		used += e->size;
		text_copy(before, sizeof(before), e->name);
	}
	return used;
}

/* Takes out what rules decide about; *last is the offset behind it all. */
static long filter(char *to, long n, const char *directory, int64_t *last)
{
	char space[ENTRY_SIZE(NAME_BYTES) + 8];
	struct entry *e = (struct entry *)(void *)space;
	long kept = 0;

	for (long at = 0; at < n;) {
		uint16_t size;

		if (copy_bytes(&size, to + at + offsetof(struct entry, size),
			       sizeof(size)) < 0 || size > sizeof(space) ||
		    size < offsetof(struct entry, name) ||
		    copy_bytes(e, to + at, size) < 0)
			return n;
		at += size;
		*last = e->offset;
		if (names_ruled(directory, e->name))
			continue;
		if (copy_bytes(to + kept, e, size) < 0)
			return -EFAULT;
		kept += size;
	}
	return kept;
}

static long call_getdents64(struct record *r)
{
	char directory[PATH_SIZE], real[3][PATH_SIZE];
	int64_t last = 0;
	long start, n, kept;
	uint32_t rule;
	bool lower;

	if (!path_of_descriptor((int)r->rdi, directory))
		return call_through(r);
	n = (long)strlen(directory);
	rule = rule_for(rules_now(), directory, (size_t)n);
	/* Also where only one layer has it: another may before the end. */
	if ((layers_apply(rule) || layers_merged(rule)) &&
	    layers_directories(rule, directory, real, &lower) > 0 && lower)
		return listing_answer((int)r->rdi, r->rsi, (unsigned int)r->rdx,
				      rule, directory);
	if (rule_below(rules_now(), directory, (size_t)n, 0) == NO_RULE)
		return call_through(r);
	start = SYS(__NR_lseek, r->rdi, 0, SEEK_CUR);
	do {
		n = start == 0 ? read_first(r, directory) : call_through(r);
		if (n <= 0)
			return n;
		kept = filter((char *)r->rsi, n, directory, &last);
		if (kept >= 0 && start == 0)
			kept = append(r->rsi, kept, (unsigned int)r->rdx,
				      directory, last);
		start = -1;
	} while (kept == 0);
	return kept;
}

void names_add(void)
{
	readlink_by_path = dispatch_get(__NR_readlink);
	readlinkat_by_path = dispatch_get(__NR_readlinkat);
	dispatch_add(__NR_readlink, call_readlink);
	dispatch_add(__NR_readlinkat, call_readlinkat);
	if (!files.on)
		return;
	dispatch_add(__NR_getcwd, call_getcwd);
	dispatch_add(__NR_getdents64, call_getdents64);
}
