// SPDX-License-Identifier: Apache-2.0
/*
 * Element: users. chown() and chmod() as chown_common(), chmod_common() and
 * setattr_prepare() of fs/ have them, by the owner that is shown; and whose new
 * files are.
 */
#include "gate.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define F_GETFL 3
#define __NR_fchmodat2 452
#define __NR_openat2 437
#define OWN_ACCESS 0600U

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

/* What this thread makes with @mode is another one's than root's, or root could
 * not open it again. */
static bool needs_owner(unsigned long mode)
{
	const struct ids *i = users_self();

	return i->uid[ID_FS] != 0 || i->gid[ID_FS] != 0 ||
	       (mode & OWN_ACCESS) != OWN_ACCESS;
}

/* No call fails for it: what was made is there. */
static void made(long fd)
{
	const struct ids *i = users_self();
	struct file_status st;
	struct owner o;

	if (SYS(__NR_fstat, fd, &st) < 0 || !owner_can_change(&st))
		return;
	o = (struct owner){ i->uid[ID_FS], i->gid[ID_FS], st.mode };
	owner_put(&o, &st, fd, true);
}

static bool opens_directory(long fd)
{
	struct file_status st;

	return SYS(__NR_fstat, fd, &st) == 0 && (st.mode & S_IFMT) == S_IFDIR;
}

/* open() with O_CREAT, in steps that tell whether the file is new. */
static long open_new(struct record *r, unsigned long *flags)
{
	unsigned long was = *flags;
	bool exclusive = was & O_EXCL || (was & O_TMPFILE) == O_TMPFILE;
	long fd;

	if (!exclusive) {
		*flags = was | O_EXCL;
		fd = call_before(&users_before, r);
		*flags = was & ~(unsigned long)O_CREAT;
		if (fd == -EEXIST) {
			fd = call_before(&users_before, r);
			*flags = was;
			if (fd >= 0 && opens_directory(fd)) {
				SYS(__NR_close, fd);
				return -EISDIR;
			}
			/* A link to nothing. */
			if (fd != -ENOENT)
				return fd;
		} else {
			*flags = was;
			if (fd >= 0)
				made(fd);
			return fd;
		}
	}
	fd = call_before(&users_before, r);
	if (fd >= 0)
		made(fd);
	return fd;
}

static long call_open(struct record *r)
{
	unsigned long *flags = r->nr == __NR_open ? &r->rsi : &r->rdx;
	unsigned long mode = r->nr == __NR_open ? r->rdx : r->r10;

	if (!(*flags & O_CREAT || (*flags & O_TMPFILE) == O_TMPFILE) ||
	    !needs_owner(mode))
		return call_before(&users_before, r);
	return open_new(r, flags);
}

static long as_openat(const struct record *r, unsigned long at,
		      unsigned long path, unsigned long flags,
		      unsigned long mode)
{
	struct record open = *r;

	open.nr = __NR_openat;
	open.rdi = at;
	open.rsi = path;
	open.rdx = flags;
	open.r10 = mode;
	return call_open(&open);
}

static long call_creat(struct record *r)
{
	return as_openat(r, (unsigned long)(long)AT_FDCWD, r->rdi,
			 O_CREAT | O_WRONLY | O_TRUNC, r->rsi);
}

static long call_openat2(struct record *r)
{
	unsigned long how[3];

	if (r->r10 != sizeof(how) ||
	    copy_bytes(how, (const void *)r->rdx, sizeof(how)) < 0 || how[2])
		return call_before(&users_before, r);
	return as_openat(r, r->rdi, r->rsi, how[0], how[1]);
}

static long call_make(struct record *r)
{
	bool at = r->nr == __NR_mkdirat || r->nr == __NR_mknodat;
	unsigned long path = at ? r->rsi : r->rdi, mode = at ? r->rdx : r->rsi;
	long result = call_before(&users_before, r), fd;

	if (result < 0 || !needs_owner(mode))
		return result;
	fd = owner_open(r, at ? (long)(int)r->rdi : AT_FDCWD, path, false,
			true);
	if (fd >= 0) {
		made(fd);
		SYS(__NR_close, fd);
	}
	return result;
}

void users_change_add(void)
{
	static const unsigned short own[] = { __NR_chown, __NR_lchown,
		__NR_fchown, __NR_fchownat },
		modes[] = { __NR_chmod, __NR_fchmod, __NR_fchmodat,
		__NR_fchmodat2 },
		make[] = { __NR_mkdir, __NR_mkdirat, __NR_mknod, __NR_mknodat };

	for (unsigned int k = 0; k < 4; k++) {
		dispatch_over(&users_before, own[k], call_chown);
		dispatch_over(&users_before, modes[k], call_chmod);
		dispatch_over(&users_before, make[k], call_make);
	}
	dispatch_over(&users_before, __NR_open, call_open);
	dispatch_over(&users_before, __NR_openat, call_open);
	dispatch_over(&users_before, __NR_creat, call_creat);
	dispatch_over(&users_before, __NR_openat2, call_openat2);
}
