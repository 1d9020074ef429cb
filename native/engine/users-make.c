// SPDX-License-Identifier: Apache-2.0
/*
 * Element: users. Whose new files are: their maker's, by the ids of files of the
 * thread. The kernel makes them for the one user; what differs from that is noted
 * right behind.
 */
#include "gate.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define __NR_openat2 437
#define OWN_ACCESS 0600U

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

void users_make_add(void)
{
	static const unsigned short make[] = { __NR_mkdir, __NR_mkdirat,
		__NR_mknod, __NR_mknodat };

	for (unsigned int k = 0; k < sizeof(make) / sizeof(make[0]); k++)
		dispatch_over(&users_before, make[k], call_make);
	dispatch_over(&users_before, __NR_open, call_open);
	dispatch_over(&users_before, __NR_openat, call_open);
	dispatch_over(&users_before, __NR_creat, call_creat);
	dispatch_over(&users_before, __NR_openat2, call_openat2);
}
