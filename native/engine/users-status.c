// SPDX-License-Identifier: Apache-2.0
/*
 * Element: users. What stat() and statx() tell of owner and mode. The kernel
 * answers first; of a file that is the one user's, and was not looked at before,
 * the attribute is asked for by a descriptor of it.
 */
#include "gate.h"
#include "paths.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define STATX_MODE 0x2U
#define STATX_UID 0x8U
#define STATX_GID 0x10U
#define STATX_BASIC 0x7ffU

struct statx_head {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, spare;
	uint64_t ino, size, blocks, attributes_mask;
	struct { int64_t seconds; uint32_t ns, spare; } atime, btime, ctime,
		mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
};

/* What a call of this kind names, and where its answer goes. */
struct asked {
	long at;
	unsigned long path, to;
	bool follow, is_statx;
};

static struct asked asked_of(const struct record *r)
{
	switch (r->nr) {
	case __NR_fstat:
		return (struct asked){ (int)r->rdi, 0, r->rsi, true, false };
	case __NR_newfstatat:
		return (struct asked){ (int)r->rdi, r->rsi, r->rdx,
			!(r->r10 & AT_SYMLINK_NOFOLLOW), false };
	case __NR_statx:
		return (struct asked){ (int)r->rdi, r->rsi, r->r8,
			!(r->rdx & AT_SYMLINK_NOFOLLOW), true };
	default:
		return (struct asked){ AT_FDCWD, r->rdi, r->rsi,
			r->nr == __NR_stat, false };
	}
}

/* new_encode_dev() */
static uint64_t device(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (uint64_t)(major & 0xfff) << 8 |
	       (uint64_t)(minor & ~0xffU) << 12 |
	       (uint64_t)(major & ~0xfffU) << 32;
}

static long read_answer(struct file_status *st, struct statx_head *x,
			const struct asked *a)
{
	if (!a->is_statx)
		return copy_bytes(st, (const void *)a->to, sizeof(*st));
	if (copy_bytes(x, (const void *)a->to, sizeof(*x)) < 0)
		return -EFAULT;
	memset(st, 0, sizeof(*st));
	st->dev = device(x->dev_major, x->dev_minor);
	st->ino = x->ino;
	st->mode = x->mode;
	st->uid = x->uid;
	st->gid = x->gid;
	st->times[4] = (uint64_t)x->ctime.seconds;
	st->times[5] = x->ctime.ns;
	return 0;
}

static long write_answer(struct file_status *st, struct statx_head *x,
			 const struct asked *a, const struct owner *o)
{
	if (a->is_statx) {
		x->uid = o->uid;
		x->gid = o->gid;
		x->mode = (uint16_t)o->mode;
		return copy_bytes((void *)a->to, x, sizeof(*x));
	}
	st->uid = o->uid;
	st->gid = o->gid;
	st->mode = o->mode;
	return copy_bytes((void *)a->to, st, sizeof(*st));
}

/* Of file systems without a device, such as /proc. */
static bool has_no_device(const struct file_status *st)
{
	return (st->dev >> 8 & 0xfff) == 0;
}

/* What /proc has of a process belongs to who that is. */
static void of_process(struct owner *o, long fd)
{
	char link[48], path[64];
	int64_t pid;
	uint32_t uid, gid;
	long n;
	char *end;

	descriptor_link(link, fd);
	n = SYS(__NR_readlinkat, AT_FDCWD, link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	if (strncmp(path, "/proc/", 6) != 0)
		return;
	end = strchr(path + 6, '/');
	if (end)
		*end = 0;
	if (text_number(path + 6, &pid) && users_of((long)pid, &uid, &gid)) {
		o->uid = uid;
		o->gid = gid;
	}
}

/* @st is what the kernel said of what the call names. 0, -errno or RESTART. */
static long find(struct owner *o, const struct file_status *st,
		 const struct record *r, const struct asked *a)
{
	char first = 0;
	bool given = a->path && copy_bytes(&first, (const void *)a->path, 1) == 0 &&
		     first;
	long fd = a->at;

	if (owner_known(o, st))
		return 0;
	if (given)
		fd = owner_open(r, a->at, a->path, a->follow, false);
	if (fd == RESTART)
		return fd;
	/* Gone meanwhile, or there is no room for a descriptor: as if it had no
	 * attribute, since stat() needs neither. */
	owner_shown(o, st, fd);
	if (has_no_device(st))
		of_process(o, fd);
	if (given && fd >= 0)
		SYS(__NR_close, fd);
	return 0;
}

static long call_status(struct record *r)
{
	struct asked a = asked_of(r);
	struct statx_head x;
	struct file_status st;
	struct owner o;
	long result = call_before(&users_before, r), found;

	if (result < 0 || read_answer(&st, &x, &a) < 0 ||
	    (a.is_statx && !(x.mask & STATX_UID)) ||
	    !owner_is_kept(&st))
		return result;
	found = find(&o, &st, r, &a);
	if (found < 0)
		return found;
	return write_answer(&st, &x, &a, &o);
}

/* Of a part the program asks for, the rest is needed to know the file by. */
static long call_statx(struct record *r)
{
	unsigned long mask = r->r10;
	long result;

	if (mask & (STATX_MODE | STATX_UID | STATX_GID))
		r->r10 = mask | STATX_BASIC;
	result = call_status(r);
	r->r10 = mask;
	return result;
}

void users_status_add(void)
{
	dispatch_over(&users_before, __NR_stat, call_status);
	dispatch_over(&users_before, __NR_lstat, call_status);
	dispatch_over(&users_before, __NR_fstat, call_status);
	dispatch_over(&users_before, __NR_newfstatat, call_status);
	dispatch_over(&users_before, __NR_statx, call_statx);
}
