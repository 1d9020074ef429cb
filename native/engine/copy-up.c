// SPDX-License-Identifier: Apache-2.0
/*
 * Copying up (fs/overlayfs/copy_up.c). What is written into the own layer
 * appears there whole: it is made in COPIES/N/work and renamed. Changes of names
 * are made under one lock for all rules of the instance.
 */
#include "layers.h"
#include "listing.h"
#include "text.h"

#define FICLONE 0x40049409
#define RENAME_NOREPLACE 1
#define SEEK_SET 0
#define SEEK_DATA 3
#define SEEK_HOLE 4
#define PIECE (1L << 30)
#define ATTRIBUTES (64UL << 10)

/* The directories that a rule's own layer is in; work is for every user. */
long layers_room(const struct rule *r, char *temporary)
{
	struct file_status st;
	long result;

	if (!layers_own_path(temporary, r, "/work", ""))
		return -ENAMETOOLONG;
	if (layers_look(temporary, &st) < 0) {
		layers_own_path(temporary, r, "", "");
		SYS(__NR_mkdirat, AT_FDCWD, temporary, 0755);
		layers_own_path(temporary, r, "/work", "");
		result = SYS(__NR_mkdirat, AT_FDCWD, temporary, 0700);
		if (result < 0)
			return result;
		SYS(__NR_fchmodat, AT_FDCWD, temporary, 01777);
	}
	text_join(temporary, PATH_SIZE, temporary, "/");
	text_decimal(temporary + strlen(temporary), SYS(__NR_gettid));
	/* Left by one that was killed. */
	SYS(__NR_unlinkat, AT_FDCWD, temporary, 0);
	SYS(__NR_unlinkat, AT_FDCWD, temporary, 0x200 /* AT_REMOVEDIR */);
	return 0;
}

/* @left bytes from where both stand, or up to the end. */
static long copy_stretch(long in, long out, long left)
{
	while (left > 0) {
		long piece = left < PIECE ? left : PIECE,
		     n = SYS(__NR_copy_file_range, in, 0, out, 0, piece, 0);

		if (n < 0)
			n = SYS(__NR_sendfile, out, in, 0, piece);
		if (n == 0)
			break;
		if (n > 0)
			left -= n;
		else if (n != -EINTR)
			return n;
	}
	return 0;
}

/* A file may be larger than what it takes, or the disk has: holes stay holes. */
static long copy_data(long in, long out, long size)
{
	long result = 0, end;

	for (long at = 0; result == 0 && at < size; at = end) {
		long data = SYS(__NR_lseek, in, at, SEEK_DATA);

		if (data == -ENXIO)
			break;
		end = data < 0 ? data : SYS(__NR_lseek, in, data, SEEK_HOLE);
		if (end <= data) { /* the file system knows of none */
			data = at;
			end = size;
		}
		SYS(__NR_lseek, in, data, SEEK_SET);
		SYS(__NR_lseek, out, data, SEEK_SET);
		result = copy_stretch(in, out, end - data);
	}
	return result < 0 ? result : SYS(__NR_ftruncate, out, size);
}

static long copy_content(const char *from, const char *to, long size)
{
	long in = SYS(__NR_openat, AT_FDCWD, from,
		      O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0), out, n;

	if (in < 0)
		return in;
	out = SYS(__NR_openat, AT_FDCWD, to, O_WRONLY | O_CLOEXEC, 0);
	if (out < 0) {
		SYS(__NR_close, in);
		return out;
	}
	n = SYS(__NR_ioctl, out, FICLONE, in);
	/* Some files tell no size, and have text all the same. */
	if (n != 0)
		n = size > 0 ? copy_data(in, out, size)
			     : copy_stretch(in, out, PIECE);
	SYS(__NR_close, in);
	SYS(__NR_close, out);
	return n;
}

/* Attributes that the file system or the user may not set are left out, as cp
 * does; those of layers are about their place. */
static void copy_attributes(const char *from, const char *to)
{
	long memory, n, size;
	char *names, *value;

	if (SYS(__NR_llistxattr, from, 0, 0) <= 0)
		return;
	memory = SYS(__NR_mmap, 0, 2 * ATTRIBUTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (IS_ERROR(memory))
		return;
	names = (char *)memory;
	value = names + ATTRIBUTES;
	n = SYS(__NR_llistxattr, from, names, ATTRIBUTES);
	for (const char *name = names; name < names + n;
	     name += strlen(name) + 1) {
		if (strncmp(name, "trusted.overlay.", 16) == 0 ||
		    strncmp(name, "user.overlay.", 13) == 0)
			continue;
		size = SYS(__NR_lgetxattr, from, name, value, ATTRIBUTES);
		if (size >= 0)
			SYS(__NR_lsetxattr, to, name, value, size, 0);
	}
	SYS(__NR_munmap, memory, 2 * ATTRIBUTES);
}

/* Makes @to as @from is. Where the owner cannot be given, it is ours. */
static long make_like(const char *from, const char *to, bool content)
{
	char target[PATH_SIZE];
	struct file_status st;
	long result = layers_look(from, &st), n;
	unsigned int type = st.mode & S_IFMT;

	if (result < 0)
		return result;
	if (type == S_IFDIR) {
		result = SYS(__NR_mkdirat, AT_FDCWD, to, 0700);
	} else if (type == S_IFLNK) {
		n = SYS(__NR_readlinkat, AT_FDCWD, from, target, PATH_SIZE - 1);
		target[n > 0 ? n : 0] = 0;
		result = n < 0 ? n : SYS(__NR_symlinkat, target, AT_FDCWD, to);
	} else {
		result = SYS(__NR_mknodat, AT_FDCWD, to, type | 0600, st.rdev);
	}
	if (result == 0 && type == S_IFREG && content)
		result = copy_content(from, to, (long)st.size);
	if (result < 0)
		return result;
	/* A change of owner takes capabilities away. */
	SYS(__NR_fchownat, AT_FDCWD, to, st.uid, st.gid, AT_SYMLINK_NOFOLLOW);
	copy_attributes(from, to);
	if (type != S_IFLNK)
		result = SYS(__NR_fchmodat, AT_FDCWD, to, st.mode & 07777);
	SYS(__NR_utimensat, AT_FDCWD, to, st.times, AT_SYMLINK_NOFOLLOW);
	return result;
}

/* The directory that something is renamed into keeps its times. */
static long put_into(const char *from, const char *own)
{
	char parent[PATH_SIZE];
	struct file_status st = { 0 };
	char *slash;
	long result, known;

	text_copy(parent, PATH_SIZE, own);
	slash = strrchr(parent, '/');
	*slash = 0;
	known = layers_look(parent, &st);
	result = SYS(__NR_renameat2, AT_FDCWD, from, AT_FDCWD, own,
		     RENAME_NOREPLACE);
	if (result == -EINVAL) /* a file system without the flag */
		result = SYS(__NR_renameat2, AT_FDCWD, from, AT_FDCWD, own, 0);
	if (known == 0)
		SYS(__NR_utimensat, AT_FDCWD, parent, st.times, 0);
	return result;
}

static long raise_one(const struct rule *r, const struct layered *l,
		      bool content)
{
	char temporary[PATH_SIZE];
	long result = layers_room(r, temporary);

	if (result < 0)
		return result;
	result = make_like(l->real, temporary, content);
	if (result == 0)
		result = put_into(temporary, l->own);
	if (result < 0) {
		SYS(__NR_unlinkat, AT_FDCWD, temporary, 0);
		SYS(__NR_unlinkat, AT_FDCWD, temporary, 0x200);
	}
	return result;
}

/* One directory on the way down to what is raised. */
static long raise_directory(uint32_t rule, const char *location)
{
	struct rule r = rule_get(rules_now(), rule);
	struct layered l;
	long result = layers_find(&l, rule, location);

	if (result < 0 || l.where == LAYER_OWN)
		return result;
	if (l.where == LAYER_NONE)
		return l.error;
	if ((l.mode & S_IFMT) != S_IFDIR)
		return -ENOTDIR;
	return raise_one(&r, &l, false);
}

long layers_raise_parent(uint32_t rule, const char *location)
{
	struct rule r = rule_get(rules_now(), rule);
	char way[PATH_SIZE];
	size_t top = r.from_length > 1 ? r.from_length : 0;
	long result = layers_room(&r, way);

	if (result < 0)
		return result;
	if (r.exact) {
		layers_own_path(way, &r, "/upper", "");
		result = SYS(__NR_mkdirat, AT_FDCWD, way, 0755);
		return result == -EEXIST ? 0 : result;
	}
	text_copy(way, PATH_SIZE, location);
	for (size_t at = top; result == 0 && way[at]; at++) {
		if (way[at] != '/')
			continue;
		way[at] = 0;
		result = raise_directory(rule, at ? way : "/");
		way[at] = '/';
	}
	return result;
}

long layers_raise(uint32_t rule, const char *location, bool content)
{
	struct rule r = rule_get(rules_now(), rule);
	struct layered l;
	long result = layers_find(&l, rule, location);

	if (result < 0 || l.where == LAYER_OWN)
		return result;
	if (l.where == LAYER_NONE)
		return l.error;
	result = layers_raise_parent(rule, location);
	return result < 0 ? result : raise_one(&r, &l, content);
}

/* @location is a buffer of PATH_SIZE, as it was at the end. */
static long raise_tree(uint32_t rule, char *location)
{
	struct listing names;
	size_t n = strlen(location);
	long result = layers_raise(rule, location, true);

	if (result < 0)
		return result;
	result = listing_read(&names, rule, location);
	for (size_t i = 0; result == 0 && i < names.count; i++) {
		const char *name = listing_name(&names, i);

		if (!text_join(location, PATH_SIZE, location, "/") ||
		    !text_join(location, PATH_SIZE, location, name))
			result = -ENAMETOOLONG;
		else if (names.names[i].type == DT_DIR)
			result = raise_tree(rule, location);
		else
			result = layers_raise(rule, location, true);
		location[n] = 0;
	}
	listing_free(&names);
	return result;
}

long layers_raise_all(uint32_t rule, const char *location)
{
	char path[PATH_SIZE];
	struct layered l;
	long result;

	text_copy(path, PATH_SIZE, location);
	result = raise_tree(rule, path);
	if (result == 0)
		result = layers_find(&l, rule, location);
	if (result == 0)
		result = layers_close(l.own);
	/* What nothing is below needs no whiteouts, and would show them. */
	if (result == 0)
		layers_clear_deep(l.own);
	return result;
}
