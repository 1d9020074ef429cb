// SPDX-License-Identifier: Apache-2.0
/* Owner, attributes, mode and times of a copy, and what is said of losses. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "seed-parts.h"
#include "talk.h"

/* The end of a path tells more than its start; it goes to a terminal. */
static const char *shown(const struct seed *s, const char *name)
{
	static char text[600];
	const char *path = s->path_len > 200 ?
		s->path + s->path_len - 200 : s->path;
	bool own = strcmp(name, ".") == 0;
	char *at;

	snprintf(text, sizeof(text), "%.100s%s%s%s%s", s->source,
		 s->path_len > 200 ? "/..." : "", path ? path : "",
		 own ? "" : "/", own ? "" : name);
	for (at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = '?';
	return text;
}

bool seed_fail(const struct seed *s, const char *what, const char *name)
{
	int saved = errno;

	complain("seed: cannot %s %s in %.100s: %s%s", what, shown(s, name),
		 s->target, strerror(saved),
		 saved == ENOSPC || saved == EDQUOT ?
		 "; make the volume larger, the next call begins anew" : "");
	return false;
}

void seed_loss(struct seed *s, enum seed_loss loss, const char *what,
	       const char *name, int why)
{
	if (s->told & loss)
		return;
	s->told |= loss;
	complain("seed: %s: %s%s%s (others like it are not told)",
		 shown(s, name), what, why ? ": " : "",
		 why ? strerror(why) : "");
}

bool seed_refused(void)
{
	/* EINVAL: an id that is not in this user namespace. */
	return errno == EPERM || errno == ENOTSUP || errno == ENOSYS ||
		errno == EINVAL || errno == EACCES;
}

/* Given by the machine and its mounts, not by the image. */
static bool is_foreign(const char *key)
{
	return strcmp(key, "security.selinux") == 0 ||
		strncmp(key, "trusted.overlay.", 16) == 0;
}

/* By name in the current directory: a link has no other way. */
static bool copy_attribute(struct seed *s, int from, int to, const char *name,
			   const char *key)
{
	ssize_t n = fchdir(from) < 0 ? -1 :
		lgetxattr(name, key, s->buffer, sizeof(s->buffer));

	if (n < 0 && errno == ENODATA)
		return true;
	return n >= 0 && fchdir(to) == 0 &&
		lsetxattr(name, key, s->buffer, (size_t)n, 0) == 0;
}

static bool copy_attributes(struct seed *s, int from, int to, const char *name)
{
	ssize_t n = fchdir(from) < 0 ? -1 :
		llistxattr(name, s->list, sizeof(s->list));
	const char *key;

	if (n < 0)
		return seed_refused() || seed_fail(s, "read attributes of",
						   name);
	for (key = s->list; key < s->list + n; key += strlen(key) + 1) {
		if (is_foreign(key) || copy_attribute(s, from, to, name, key))
			continue;
		if (!seed_refused())
			return seed_fail(s, "set attributes of", name);
		seed_loss(s, LOSS_ATTRIBUTE, "an attribute is not kept", name,
			  errno);
	}
	return true;
}

/* Return: whether @name has its owner; *@ok is false after another error. */
static bool give(struct seed *s, int to, const char *name,
		 const struct stat *st, bool *ok)
{
	struct stat now;

	if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	if (!seed_refused()) {
		*ok = seed_fail(s, "set the owner of", name);
		return false;
	}
	seed_loss(s, LOSS_OWNER, "the owner is not kept", name, errno);
	return fstatat(to, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
		now.st_uid == st->st_uid && now.st_gid == st->st_gid;
}

bool seed_metadata(struct seed *s, int from, int to, const char *name,
		   const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	mode_t mode = st->st_mode & 07777;
	bool ok = true;

	/* Never the rights of one owner for another. */
	if (!give(s, to, name, st, &ok))
		mode &= ~(mode_t)(S_ISUID | S_ISGID);
	if (!ok || !copy_attributes(s, from, to, name))
		return false;
	if (!S_ISLNK(st->st_mode) && fchmodat(to, name, mode, 0) < 0) {
		if (!seed_refused())
			return seed_fail(s, "set the mode of", name);
		seed_loss(s, LOSS_MODE, "the mode is not kept", name, errno);
	}
	if (utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0) {
		if (!seed_refused())
			return seed_fail(s, "set the times of", name);
		seed_loss(s, LOSS_TIME, "the times are not kept", name, errno);
	}
	return true;
}
