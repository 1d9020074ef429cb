// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets with paths (net/unix/af_unix.c): bind() makes a name as mknod() does,
 * connect() and sending look one up.
 *
 * A real path is often longer than an address may be. It then goes through a
 * descriptor of its directory; what such a socket is called is remembered, in
 * this process and its children.
 */
#include "files-call.h"
#include "files.h"
#include "gate.h"
#include "kept.h"
#include "root.h"
#include "sockets.h"
#include "sys.h"
#include "text.h"

#define AF_UNIX 1
#define UNIX_PATH 108
#define REMEMBERED 64

struct address {
	unsigned short family;
	char path[UNIX_PATH + 1];	/* one more than the kernel's, for NUL */
};

#define HEAD offsetof(struct address, path)

static struct { uint64_t socket; unsigned int size; struct address address; }
	bound[REMEMBERED] LARGE;
static unsigned int next_bound;

/* The path that the program gave; 0 = another kind of address. */
static unsigned int read_address(struct address *a, unsigned long at,
				 unsigned long size)
{
	if (!at || size <= HEAD || size > sizeof(*a) - 1 ||
	    copy_bytes(a, (const void *)at, size) < 0 || a->family != AF_UNIX ||
	    !a->path[0])
		return 0;
	memset((char *)a + size, 0, sizeof(*a) - size);
	return (unsigned int)size;
}

uint64_t socket_of(long fd)
{
	struct file_status st = { 0 };

	return SYS(__NR_fstat, fd, &st) == 0 ? st.ino : 0;
}

/* As unix_mkname() counts, however long the address was said to be. */
static void remember(long fd, const struct address *a)
{
	unsigned int i = __atomic_fetch_add(&next_bound, 1, __ATOMIC_RELAXED) %
			 REMEMBERED;

	bound[i].size = (unsigned int)(HEAD + strlen(a->path) + 1);
	bound[i].address = *a;
	bound[i].socket = socket_of(fd);
}

/* The end of a path that fills all of it is not given. */
static long address_size(size_t path)
{
	return (long)(HEAD + path + (path < UNIX_PATH));
}

/* An address of @real: its size, or -errno. *directory is to be closed. */
static long write_address(struct address *a, const char *real, long *directory)
{
	const char *name = text_base(real);
	char parent[PATH_SIZE];
	size_t n = strlen(real);

	a->family = AF_UNIX;
	*directory = -1;
	if (n <= UNIX_PATH) {
		memcpy(a->path, real, n + 1);
		return address_size(n);
	}
	n = (size_t)(name - real);
	memcpy(parent, real, n);
	parent[n] = 0;
	*directory = SYS(__NR_openat, AT_FDCWD, parent, O_PATH | O_CLOEXEC, 0);
	if (*directory < 0)
		return *directory;
	text_copy(a->path, sizeof(a->path), "/proc/self/fd/");
	text_decimal(a->path + strlen(a->path), *directory);
	if (!text_join(a->path, sizeof(a->path), a->path, "/") ||
	    !text_join(a->path, sizeof(a->path), a->path, name)) {
		SYS(__NR_close, *directory);
		return -ENAMETOOLONG;
	}
	return address_size(strlen(a->path));
}

long call_with_address(struct record *r, const void *at, long size)
{
	unsigned long *where = r->nr == __NR_sendto ? &r->r8 : &r->rsi;
	unsigned long *length = r->nr == __NR_sendto ? &r->r9 : &r->rdx;
	unsigned long where_was = *where, length_was = *length;
	unsigned long header[7];
	long result;

	if (r->nr == __NR_sendmsg) {
		if (copy_bytes(header, (const void *)where_was,
			       sizeof(header)) < 0)
			return -EFAULT;
		header[0] = (unsigned long)at;
		header[1] = (unsigned long)size;
		*where = (unsigned long)header;
	} else {
		*where = (unsigned long)at;
		*length = (unsigned long)size;
	}
	result = call_through(r);
	*where = where_was;
	*length = length_was;
	return result;
}

static long through(struct record *r, struct changed *c)
{
	struct address a;
	long directory, size, result;

	if (c->f.native)
		return call_through(r);
	size = write_address(&a, c->f.real, &directory);
	if (size < 0)
		return size;
	result = call_with_address(r, &a, size);
	if (directory >= 0)
		SYS(__NR_close, directory);
	return result;
}

static long at_path(struct record *r, const struct address *a, enum use use)
{
	static unsigned long nothing;
	struct changed c;
	long result;

	c.through = through;
	c.path = &nothing;
	c.fd = NULL;
	c.path_was = 0;
	c.at = AT_FDCWD;
	c.last = use == USE_MAKE ? LAST_NAME : LAST_FOLLOW;
	c.empty = false;
	text_copy(c.given, PATH_SIZE, a->path);
	result = path_find(&c.f, c.at, c.given, c.last);
	return result < 0 ? result : files_placed(r, use, &c);
}

static long call_bind(struct record *r)
{
	struct address a;
	long result;

	if (!read_address(&a, r->rsi, (unsigned int)r->rdx))
		return call_through(r);
	result = at_path(r, &a, USE_MAKE);
	if (result == 0)
		remember((int)r->rdi, &a);
	return result == -EEXIST ? -EADDRINUSE : result;
}

static long call_connect(struct record *r)
{
	struct address a;

	if (!read_address(&a, r->rsi, (unsigned int)r->rdx))
		return call_through(r);
	return at_path(r, &a, USE_READ);
}

static long call_sendto(struct record *r)
{
	struct address a;

	if (!r->r8 || !read_address(&a, r->r8, (unsigned int)r->r9))
		return call_through(r);
	return at_path(r, &a, USE_READ);
}

static long call_sendmsg(struct record *r)
{
	unsigned long name[2];
	struct address a;

	if (copy_bytes(name, (const void *)r->rsi, sizeof(name)) < 0 ||
	    !read_address(&a, name[0], (unsigned int)name[1]))
		return call_through(r);
	return at_path(r, &a, USE_READ);
}

/* The kernel's address as the program knows it. */
static unsigned int known_address(struct address *a, unsigned int size,
				  uint64_t socket)
{
	char path[PATH_SIZE];

	for (unsigned int i = 0; socket && i < REMEMBERED; i++) {
		if (bound[i].socket != socket)
			continue;
		*a = bound[i].address;
		return bound[i].size;
	}
	if (size <= HEAD || a->path[0] != '/')
		return size;
	text_copy(path, PATH_SIZE, a->path);
	path_location(path, PATH_SIZE, NO_RULE);
	root_name(path);
	if (!text_copy(a->path, sizeof(a->path), path))
		return size;
	return (unsigned int)(HEAD + strlen(path) + 1);
}

long tell_address(const void *a, unsigned int size, unsigned long to,
		  unsigned long length)
{
	unsigned int room;

	if (copy_bytes(&room, (const void *)length, sizeof(room)) < 0)
		return -EFAULT;
	if ((int)room < 0)
		return -EINVAL;
	if (copy_bytes((void *)to, a, room < size ? room : size) < 0 ||
	    copy_bytes((void *)length, &size, sizeof(size)) < 0)
		return -EFAULT;
	return 0;
}

static long call_name(struct record *r)
{
	struct address a;
	unsigned int size = sizeof(a) - 1;

	memset(&a, 0, sizeof(a));
	if (SYS(r->nr, r->rdi, &a, &size) < 0 || a.family != AF_UNIX)
		return call_through(r);
	size = known_address(&a, size, r->nr == __NR_getsockname
					       ? socket_of((int)r->rdi) : 0);
	return tell_address(&a, size, r->rsi, r->rdx);
}

static long call_accept(struct record *r)
{
	struct address a;
	unsigned int size = sizeof(a) - 1, room = 0;
	long result, fd;

	if (!r->rsi ||
	    copy_bytes(&room, (const void *)r->rdx, sizeof(room)) < 0)
		return call_through(r);
	fd = call_through(r);
	if (fd < 0)
		return fd;
	memset(&a, 0, sizeof(a));
	if (SYS(__NR_getpeername, fd, &a, &size) < 0 || a.family != AF_UNIX ||
	    size <= HEAD || a.path[0] != '/')
		return fd;
	size = known_address(&a, size, 0);
	/* The kernel has checked the pointers and written its own. */
	result = copy_bytes((void *)r->rdx, &room, sizeof(room));
	if (result == 0)
		tell_address(&a, size, r->rsi, r->rdx);
	return fd;
}

void sockets_add(void)
{
	dispatch_add(__NR_bind, call_bind);
	dispatch_add(__NR_connect, call_connect);
	dispatch_add(__NR_sendto, call_sendto);
	dispatch_add(__NR_sendmsg, call_sendmsg);
	dispatch_add(__NR_getsockname, call_name);
	dispatch_add(__NR_getpeername, call_name);
	dispatch_add(__NR_accept, call_accept);
	dispatch_add(__NR_accept4, call_accept);
}
