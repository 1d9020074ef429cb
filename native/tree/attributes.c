// SPDX-License-Identifier: Apache-2.0
/* Extended attributes of what was just made: those of its ENTRY and no others. */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "unpack.h"

#define OVERLAY "trusted.overlay."
#define LIST_MAX 65536

static bool is_overlay(const char *name)
{
	return strncmp(name, OVERLAY, sizeof(OVERLAY) - 1) == 0;
}

static bool in_entry(const struct entry *e, const char *name)
{
	struct cursor c = { e->xattrs.at, e->xattrs.len, false };
	size_t len = strlen(name);

	for (uint16_t i = 0; i < e->xattr_count; i++) {
		struct bytes n = get_bytes16(&c);

		(void)get_bytes32(&c);
		if (n.len == len && memcmp(n.at, name, len) == 0)
			return true;
	}
	return false;
}

/* Removes what a default ACL of the parent or an earlier object left. */
static int strip(const struct entry *e, int fd, const char *name)
{
	static char list[LIST_MAX];
	ssize_t n = fd >= 0 ? flistxattr(fd, list, sizeof(list)) :
			      llistxattr(name, list, sizeof(list));

	if (n < 0)
		return errno == ENOTSUP || errno == ENOSYS ? 0 : -errno;
	for (const char *at = list; at < list + n; at += strlen(at) + 1) {
		int got;

		/* Of the host's own policy, and of overlayfs: OPAQUE. */
		if (!*at || strcmp(at, "security.selinux") == 0 ||
		    is_overlay(at) || in_entry(e, at))
			continue;
		got = fd >= 0 ? fremovexattr(fd, at) : lremovexattr(name, at);
		if (got < 0 && errno != ENODATA)
			return -errno;
	}
	return 0;
}

int apply_xattrs(struct unpack *u, const struct entry *e, int fd,
		 const char *name)
{
	struct cursor c = { e->xattrs.at, e->xattrs.len, false };
	int got = strip(e, fd, name);

	for (uint16_t i = 0; got == 0 && i < e->xattr_count; i++) {
		struct bytes n = get_bytes16(&c);
		struct bytes v = get_bytes32(&c);
		char key[XATTR_NAME_MAX + 1];

		if (c.bad || n.len == 0 || n.len > XATTR_NAME_MAX ||
		    memchr(n.at, '\0', n.len)) {
			u->why = "the name of an attribute is not valid";
			return -EINVAL;
		}
		memcpy(key, n.at, n.len);
		key[n.len] = '\0';
		if (is_overlay(key)) {
			u->why = "attributes of overlayfs are refused";
			return -EPERM;
		}
		if ((fd >= 0 ? fsetxattr(fd, key, v.at, v.len, 0) :
			       lsetxattr(name, key, v.at, v.len, 0)) < 0) {
			got = -errno;
			u->why = "an attribute cannot be set";
		}
	}
	return got;
}

int set_opaque(int dir, const char *name)
{
	int fd = openat(dir, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int got = 0;

	if (fd < 0)
		return -errno;
	/* The root of a user namespace may set those of users only. */
	if (fsetxattr(fd, OVERLAY "opaque", "y", 1, 0) < 0 &&
	    (errno != EPERM ||
	     fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) < 0))
		got = -errno;
	close(fd);
	return got;
}
