// SPDX-License-Identifier: Apache-2.0
/*
 * Owner, attributes, mode and time of what was just made. Order matters: owner
 * (drops set-id bits and file capabilities), attributes (an ACL changes the
 * mode), mode, time; and all of it after the content.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unpack.h"

static int map_id(const struct id_map *map, uint32_t id, uint32_t *out)
{
	*out = id;
	if (map->count == 0)
		return 0;
	for (size_t i = 0; i < map->count; i++) {
		const struct id_range *r = &map->at[i];

		if (id >= r->in && id - r->in < r->count) {
			*out = r->out + (id - r->in);
			return 0;
		}
	}
	return -EOVERFLOW;
}

static int owner_of(struct unpack *u, const struct entry *e, uid_t *uid,
		    gid_t *gid)
{
	int got = map_id(&u->rules.uids, e->uid, uid);

	if (got == 0)
		got = map_id(&u->rules.gids, e->gid, gid);
	if (got < 0)
		u->why = "its owner is not in the id map";
	return got;
}

int apply_fd(struct unpack *u, const struct entry *e, int fd, mode_t mode)
{
	struct timespec times[2] = { e->mtime, e->mtime };
	uid_t uid;
	gid_t gid;
	int got = owner_of(u, e, &uid, &gid);

	if (got == 0 && fchown(fd, uid, gid) < 0)
		got = -errno;
	if (got == 0)
		got = apply_xattrs(u, e, fd, NULL);
	if (got == 0 &&
	    (fchmod(fd, mode & 07777) < 0 || futimens(fd, times) < 0))
		got = -errno;
	return got;
}

int apply_name(struct unpack *u, const struct entry *e, const struct place *p)
{
	struct timespec times[2] = { e->mtime, e->mtime };
	struct stat st;
	uid_t uid;
	gid_t gid;
	int got = owner_of(u, e, &uid, &gid);

	if (got != 0)
		return got;
	if (fchdir(p->dir) < 0 ||
	    fchownat(AT_FDCWD, p->name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	got = apply_xattrs(u, e, -1, p->name);
	if (got < 0)
		return got;
	if (fstatat(AT_FDCWD, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode) && (st.st_mode & 07777) != (e->mode & 07777) &&
	    fchmodat(AT_FDCWD, p->name, e->mode & 07777,
		     AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (utimensat(AT_FDCWD, p->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}
