// SPDX-License-Identifier: Apache-2.0
/*
 * What changes a file by its descriptor would change the package's where it was
 * opened before it was copied.
 */
#include "gate.h"
#include "layered.h"
#include "text.h"

#define F_GETFL 3
#define FS_IOC_SETFLAGS 0x40086602
#define FS_IOC_FSSETXATTR 0x401c5820

/* chattr: of what is open to read, and of no path. */
static long ioctl_at(const char *own, const struct record *r)
{
	long fd = SYS(__NR_openat, AT_FDCWD, own,
		      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0), result;

	if (fd < 0)
		return fd;
	result = SYS(__NR_ioctl, fd, r->rsi, r->rdx);
	SYS(__NR_close, fd);
	return result;
}

static long call_by_descriptor(struct record *r, long fd, unsigned int nr,
			       call_fn *otherwise)
{
	char location[PATH_SIZE];
	struct file_status open = { 0 }, seen = { 0 };
	struct layered l;
	uint32_t rule;
	long lock, result;

	if ((long)SYS(__NR_fcntl, fd, F_GETFL) & O_PATH ||
	    !path_of_descriptor(fd, location))
		return otherwise(r);
	rule = rule_for(rules_now(), location, strlen(location));
	if (rule != NO_RULE &&
	    rule_get(rules_now(), rule).mode == RULE_READ_ONLY)
		return -EROFS;
	if (!(layers_apply(rule) || layers_merged(rule)) ||
	    layers_find(&l, rule, location) < 0 ||
	    l.where == LAYER_NONE || SYS(__NR_fstat, fd, &open) < 0 ||
	    SYS(__NR_newfstatat, AT_FDCWD, l.own, &seen, AT_SYMLINK_NOFOLLOW) ==
		    0 ? open.dev == seen.dev && open.ino == seen.ino : false)
		return otherwise(r);
	if (layers_merged(rule)) {
		if (!layers_on_host(rule, location, &seen))
			return -EROFS;
	} else if (l.where != LAYER_OWN) {
		result = layered_may_change(r, &l);
		lock = result < 0 ? result : layers_lock();
		if (lock < 0)
			return lock;
		result = layers_raise(rule, location, true);
		layers_unlock(lock);
		if (result < 0)
			return result;
	}
	switch (nr) {
	case __NR_fchmod:
		return SYS(__NR_fchmodat, AT_FDCWD, l.own, r->rsi);
	case __NR_fchown:
		return SYS(__NR_fchownat, AT_FDCWD, l.own, r->rsi, r->rdx,
			   AT_SYMLINK_NOFOLLOW);
	case __NR_fsetxattr:
		return SYS(__NR_lsetxattr, l.own, r->rsi, r->rdx, r->r10, r->r8);
	case __NR_fremovexattr:
		return SYS(__NR_lremovexattr, l.own, r->rsi);
	case __NR_ioctl:
		return ioctl_at(l.own, r);
	default:
		return SYS(__NR_utimensat, AT_FDCWD, l.own, r->rdx,
			   AT_SYMLINK_NOFOLLOW);
	}
}

static call_fn *utimensat_by_path;

static long call_plain(struct record *r)
{
	return call_by_descriptor(r, (int)r->rdi, (unsigned int)r->nr,
				  call_through);
}

static long call_utimensat(struct record *r)
{
	if (r->rsi || (int)r->rdi == AT_FDCWD)
		return utimensat_by_path(r);
	return call_by_descriptor(r, (int)r->rdi, __NR_utimensat,
				  utimensat_by_path);
}

static struct before before_ioctl;

static long ioctl_otherwise(struct record *r)
{
	return call_before(&before_ioctl, r);
}

static long call_ioctl(struct record *r)
{
	unsigned int what = (unsigned int)r->rsi;

	if (what != FS_IOC_SETFLAGS && what != FS_IOC_FSSETXATTR)
		return ioctl_otherwise(r);
	return call_by_descriptor(r, (int)r->rdi, __NR_ioctl, ioctl_otherwise);
}

void layered_add(void)
{
	if (!files.on)
		return;
	utimensat_by_path = dispatch_get(__NR_utimensat);
	dispatch_add(__NR_utimensat, call_utimensat);
	dispatch_over(&before_ioctl, __NR_ioctl, call_ioctl);
	dispatch_add(__NR_fchmod, call_plain);
	dispatch_add(__NR_fchown, call_plain);
	dispatch_add(__NR_fsetxattr, call_plain);
	dispatch_add(__NR_fremovexattr, call_plain);
}
