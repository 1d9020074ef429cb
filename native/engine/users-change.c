// SPDX-License-Identifier: Apache-2.0
/*
 * Element: users. chown() and chmod() as chown_common(), chmod_common() and
 * setattr_prepare() of fs/ have them, by the owner that is shown.
 */
#include "gate.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define F_GETFL 3
#define __NR_fchmodat2 452

/* What a call changes. */
struct target {
	struct file_status st;
	struct owner owner;
	long fd;
	bool opened;	/* by us */
};

/* 0, -errno or RESTART. */
static long find(struct target *t, const struct record *r, long at,
		 unsigned long path, bool follow)
{
	char first = 0;
	long result;

	t->opened = false;
	t->fd = at;
	if (path && copy_bytes(&first, (const void *)path, 1) < 0)
		return -EFAULT;
	if (first) {
		t->fd = owner_open(r, at, path, follow, false);
		if (t->fd < 0)
			return t->fd;
		t->opened = true;
	}
	result = t->fd == AT_FDCWD
			 ? SYS(__NR_newfstatat, t->fd, "", &t->st, AT_EMPTY_PATH)
			 : SYS(__NR_fstat, t->fd, &t->st);
	if (result == 0)
		owner_shown(&t->owner, &t->st, t->fd);
	else if (t->opened)
		SYS(__NR_close, t->fd);
	return result;
}

static void leave(const struct target *t)
{
	if (t->opened)
		SYS(__NR_close, t->fd);
}

static bool is_directory(const struct target *t)
{
	return (t->st.mode & S_IFMT) == S_IFDIR;
}

static bool keeps_group_bit(const struct ids *i, uint32_t gid)
{
	return ids_in_group(i, gid) || ids_may(i, CAP_FSETID);
}

static bool may_give(const struct ids *i, const struct owner *o, uint32_t uid,
		     uint32_t gid)
{
	bool own = i->uid[ID_FS] == o->uid;

	if (ids_may(i, CAP_CHOWN))
		return true;
	if (uid != NO_ID && !(own && uid == o->uid))
		return false;
	return gid == NO_ID ||
	       (own && (gid == o->gid || ids_in_group(i, gid)));
}

static bool may_set_mode(const struct ids *i, const struct owner *o)
{
	return i->uid[ID_FS] == o->uid || ids_may(i, CAP_FOWNER);
}

static long give(struct target *t, uint32_t uid, uint32_t gid)
{
	const struct ids *i = users_self();
	struct owner *o = &t->owner;
	uint32_t mode = o->mode;

	if (!may_give(i, o, uid, gid))
		return -EPERM;
	if (!is_directory(t)) {
		mode &= ~(uint32_t)S_ISUID;
		if (mode & S_IXGRP || !keeps_group_bit(i, o->gid))
			mode &= ~(uint32_t)S_ISGID;
	}
	/* To lose these bits is a change of the mode. */
	if (mode != o->mode && !may_set_mode(i, o))
		return -EPERM;
	o->mode = mode;
	if (uid != NO_ID)
		o->uid = uid;
	if (gid != NO_ID)
		o->gid = gid;
	return owner_put(o, &t->st, t->fd, false);
}

/* @uid and @gid are the arguments of @r that say who. */
static long give_at(struct record *r, long at, unsigned long path, bool follow,
		    unsigned long *uid, unsigned long *gid)
{
	unsigned long uid_was = *uid, gid_was = *gid;
	struct target t;
	long result = find(&t, r, at, path, follow);

	if (result < 0)
		return result;
	if (owner_can_change(&t.st)) {
		result = give(&t, (uint32_t)uid_was, (uint32_t)gid_was);
		leave(&t);
		return result;
	}
	leave(&t);
	/* Of ours, but nothing that can be somebody else's: it stays root's. */
	if (owner_is_kept(&t.st)) {
		if (!may_give(users_self(), &t.owner, (uint32_t)uid_was,
			      (uint32_t)gid_was))
			return -EPERM;
		*uid = *gid = NO_ID;
	}
	result = call_before(&users_before, r);
	*uid = uid_was;
	*gid = gid_was;
	return result;
}

static bool only_path(long fd)
{
	long flags = SYS(__NR_fcntl, fd, F_GETFL, 0);

	return flags < 0 || flags & O_PATH;
}

static long call_chown(struct record *r)
{
	switch (r->nr) {
	case __NR_fchown:
		if (only_path((int)r->rdi))
			return -EBADF;
		return give_at(r, (int)r->rdi, 0, true, &r->rsi, &r->rdx);
	case __NR_fchownat:
		return give_at(r, (int)r->rdi, r->rsi,
			       !(r->r8 & AT_SYMLINK_NOFOLLOW), &r->rdx, &r->r10);
	default:
		return give_at(r, AT_FDCWD, r->rdi, r->nr == __NR_chown, &r->rsi,
			       &r->rdx);
	}
}

static long set_mode(struct target *t, uint32_t mode)
{
	const struct ids *i = users_self();
	struct owner *o = &t->owner;

	if (!may_set_mode(i, o))
		return -EPERM;
	mode &= 07777;
	if (!keeps_group_bit(i, o->gid))
		mode &= ~(uint32_t)S_ISGID;
	o->mode = (o->mode & S_IFMT) | mode;
	return owner_put(o, &t->st, t->fd, false);
}

static long mode_at(struct record *r, long at, unsigned long path, bool follow,
		    unsigned long mode)
{
	struct target t;
	long result = find(&t, r, at, path, follow);

	if (result < 0)
		return result;
	if (owner_can_change(&t.st))
		result = set_mode(&t, (uint32_t)mode);
	leave(&t);
	return owner_can_change(&t.st) ? result : call_before(&users_before, r);
}

static long call_chmod(struct record *r)
{
	switch (r->nr) {
	case __NR_chmod:
		return mode_at(r, AT_FDCWD, r->rdi, true, r->rsi);
	case __NR_fchmod:
		if (only_path((int)r->rdi))
			return -EBADF;
		return mode_at(r, (int)r->rdi, 0, true, r->rsi);
	case __NR_fchmodat:
		return mode_at(r, (int)r->rdi, r->rsi, true, r->rdx);
	default:
		return mode_at(r, (int)r->rdi, r->rsi,
			       !(r->r10 & AT_SYMLINK_NOFOLLOW), r->rdx);
	}
}

void users_change_add(void)
{
	static const unsigned short own[] = { __NR_chown, __NR_lchown,
		__NR_fchown, __NR_fchownat },
		modes[] = { __NR_chmod, __NR_fchmod, __NR_fchmodat,
		__NR_fchmodat2 };

	for (unsigned int k = 0; k < 4; k++) {
		dispatch_over(&users_before, own[k], call_chown);
		dispatch_over(&users_before, modes[k], call_chmod);
	}
}
