// SPDX-License-Identifier: Apache-2.0
/*
 * Names in the abstract namespace, which like ports belong to a network
 * namespace. The listener's says where it listens, the client's has both ends of
 * the connection. Each end finds both in its own name or its peer's: after
 * dup(), fork(), execve() and in whatever process it was sent to.
 */
#include "loopback.h"
#include "sys.h"
#include "text.h"

static const unsigned char magic[15] = "\0tranship-tcp-1";

static void put_port(unsigned char *to, uint16_t port)
{
	to[0] = (unsigned char)(port >> 8);
	to[1] = (unsigned char)port;
}

static struct endpoint get(const unsigned char *address,
			   const unsigned char *port, unsigned char size)
{
	struct endpoint e = { .size = size,
			      .port = (uint16_t)(port[0] << 8 | port[1]) };

	memcpy(e.address, address, size);
	return e;
}

static void start(struct loopback_name *n, unsigned char role)
{
	memset(n, 0, sizeof(*n));
	n->family = AF_UNIX;
	memcpy(n->magic, magic, sizeof(magic));
	n->role = role;
}

void loopback_listener(struct loopback_name *n, const struct endpoint *at,
		       bool both)
{
	start(n, NAME_LISTENER);
	n->inet = at->size == 4 ? AF_INET : AF_INET6;
	n->size = both ? 0 : at->size;
	memcpy(n->local, at->address, n->size);
	put_port(n->local_port, at->port);
}

void loopback_client(struct loopback_name *n, const struct ends *e)
{
	start(n, NAME_CLIENT);
	n->inet = (unsigned char)e->family;
	n->size = e->local.size;
	memcpy(n->local, e->local.address, n->size);
	put_port(n->local_port, e->local.port);
	memcpy(n->peer, e->peer.address, n->size);
	put_port(n->peer_port, e->peer.port);
}

static bool read_name(struct loopback_name *n, long nr, long fd)
{
	unsigned int size = sizeof(*n);

	memset(n, 0, sizeof(*n));
	return SYS(nr, fd, n, &size) == 0 && size == sizeof(*n) &&
	       n->family == AF_UNIX &&
	       memcmp(n->magic, magic, sizeof(magic)) == 0 &&
	       (n->size == 0 || n->size == 4 || n->size == 16);
}

bool loopback_ends(long fd, struct ends *e)
{
	struct loopback_name own, n;

	if (!read_name(&own, __NR_getsockname, fd))
		return false;
	n = own;
	if (own.role == NAME_LISTENER && !read_name(&n, __NR_getpeername, fd))
		return false;
	if (n.role != NAME_CLIENT || n.size == 0)
		return false;
	e->family = own.inet == AF_INET ? AF_INET : AF_INET6;
	e->local = get(n.local, n.local_port, n.size);
	e->peer = get(n.peer, n.peer_port, n.size);
	if (own.role == NAME_LISTENER) {
		struct endpoint client = e->local;

		e->local = e->peer;
		e->peer = client;
	}
	return true;
}

bool loopback_listens(long mailbox, long fd)
{
	struct loopback_name n;
	struct inet a = { .size = sizeof(a.bytes) };
	struct endpoint at;
	int listens = 0;
	unsigned int size = sizeof(listens);

	if (!read_name(&n, __NR_getsockname, mailbox) ||
	    n.role != NAME_LISTENER ||
	    SYS(__NR_getsockopt, fd, SOL_SOCKET, SO_ACCEPTCONN, &listens,
		&size) < 0 || !listens ||
	    SYS(__NR_getsockname, fd, a.bytes, &a.size) < 0 ||
	    !inet_is_whole(&a))
		return false;
	at = inet_endpoint(&a);
	return at.port == get(n.local, n.local_port, n.size).port;
}
