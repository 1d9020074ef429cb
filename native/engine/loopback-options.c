// SPDX-License-Identifier: Apache-2.0
/*
 * Options, and names. What TCP has and AF_UNIX has not does nothing here: it is
 * checked, remembered by this process and its children, and told again. What
 * nobody set is asked of a new socket of TCP.
 */
#include "gate.h"
#include "kept.h"
#include "loopback.h"
#include "sockets.h"
#include "sys.h"
#include "text.h"

#define SO_SNDBUF 7
#define SO_RCVBUF 8
#define SO_RCVLOWAT 18
#define SO_BUF_LOCK 72
#define TCP_INFO 11
#define TCP_ESTABLISHED 1
#define SOCKETS 1024

static struct before before;

static const struct { unsigned char name, size; } carried[KEPT_SOCKET] = {
	{ 2, 4 },	/* SO_REUSEADDR */
	{ 9, 4 },	/* SO_KEEPALIVE */
	{ 10, 4 },	/* SO_OOBINLINE */
	{ 12, 4 },	/* SO_PRIORITY */
	{ 13, 8 },	/* SO_LINGER */
	{ SO_RCVLOWAT, 4 },
	{ 20, 16 },	/* SO_RCVTIMEO */
	{ 21, 16 },	/* SO_SNDTIMEO */
	{ SO_SNDBUF, 4 },
	{ SO_RCVBUF, 4 },
};

static const struct { int name, least, most, usual; } kept[KEPT_TCP] = {
	{ 1, 0, 0, 0 },		/* TCP_NODELAY; least = most: yes or no */
	{ 3, 0, 0, 0 },		/* TCP_CORK */
	{ 4, 1, 32767, 7200 },	/* TCP_KEEPIDLE */
	{ 5, 1, 32767, 75 },	/* TCP_KEEPINTVL */
	{ 6, 1, 127, 9 },	/* TCP_KEEPCNT */
	{ 12, 0, 0, 1 },	/* TCP_QUICKACK */
	{ 18, 0, 0x7fffffff, 0 },	/* TCP_USER_TIMEOUT */
};

/* One a connection; a later one takes the place. */
static struct remembered {
	uint64_t socket;
	bool set[KEPT_TCP];
	int value[KEPT_TCP];
} remembered[SOCKETS] LARGE;

static struct remembered *remembered_of(long fd, bool make)
{
	uint64_t socket = socket_of(fd);
	struct remembered *m = &remembered[socket % SOCKETS];

	if (m->socket != socket && !make)
		return NULL;
	if (m->socket != socket) {
		memset(m, 0, sizeof(*m));
		m->socket = socket;
	}
	return m;
}

static bool read_option(long fd, int level, int name, void *to,
			unsigned int size)
{
	unsigned int n = size;

	return SYS(__NR_getsockopt, fd, level, name, to, &n) == 0 && n == size;
}

static bool is_usual(int name, const unsigned char *value, unsigned int size)
{
	static const unsigned char zeros[16], one[4] = { 1 };

	return memcmp(value, zeros, size) == 0 ||
	       (name == SO_RCVLOWAT && memcmp(value, one, size) == 0);
}

static bool is_chosen(int name, int locked)
{
	if (name == SO_SNDBUF)
		return locked & 1;
	return name != SO_RCVBUF || (locked & 2);
}

void loopback_options_read(struct loopback_options *o, long fd)
{
	int locked = 0;

	memset(o, 0, sizeof(*o));
	read_option(fd, SOL_SOCKET, SO_BUF_LOCK, &locked, sizeof(locked));
	for (unsigned int i = 0; i < KEPT_SOCKET; i++) {
		int name = carried[i].name, size = carried[i].size;

		if (is_chosen(name, locked) &&
		    read_option(fd, SOL_SOCKET, name, o->values[i],
				carried[i].size) &&
		    !is_usual(name, o->values[i], carried[i].size))
			o->sizes[i] = (unsigned char)size;
	}
	for (unsigned int i = 0; i < KEPT_TCP; i++) {
		o->tcp[i] = kept[i].usual;
		read_option(fd, IPPROTO_TCP, kept[i].name, &o->tcp[i],
			    sizeof(int));
		o->tcp_set = o->tcp_set || o->tcp[i] != kept[i].usual;
	}
}

void loopback_options_give(const struct loopback_options *o, long fd)
{
	struct remembered *m;

	for (unsigned int i = 0; i < KEPT_SOCKET; i++) {
		int name = carried[i].name, half;

		if (o->sizes[i] == 0)
			continue;
		memcpy(&half, o->values[i], sizeof(half));
		half /= 2; /* the kernel tells twice what it was told */
		if (name == SO_SNDBUF || name == SO_RCVBUF)
			SYS(__NR_setsockopt, fd, SOL_SOCKET, name, &half,
			    sizeof(half));
		else
			SYS(__NR_setsockopt, fd, SOL_SOCKET, name,
			    o->values[i], o->sizes[i]);
	}
	if (!o->tcp_set)
		return;
	m = remembered_of(fd, true);
	for (unsigned int i = 0; i < KEPT_TCP; i++) {
		m->value[i] = o->tcp[i];
		m->set[i] = true;
	}
}

static int kept_index(const struct record *r)
{
	for (int i = 0; (int)r->rsi == IPPROTO_TCP && i < KEPT_TCP; i++)
		if ((int)r->rdx == kept[i].name)
			return i;
	return -1;
}

/* A call with a new socket of TCP in place of the program's. */
static long ask_new(struct record *r, const struct ends *e)
{
	long fd = SYS(__NR_socket, e->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long result;

	if (fd < 0)
		return fd;
	result = SYS(r->nr, fd, r->rsi, r->rdx, r->r10, r->r8);
	SYS(__NR_close, fd);
	return result;
}

static long set_kept(struct record *r, int i)
{
	struct remembered *m;
	int value;

	if ((int)r->r8 < (int)sizeof(value))
		return -EINVAL;
	if (copy_bytes(&value, (void *)r->r10, sizeof(value)) < 0)
		return -EFAULT;
	if (kept[i].least == kept[i].most)
		value = value != 0;
	else if (value < kept[i].least || value > kept[i].most)
		return -EINVAL;
	m = remembered_of((int)r->rdi, true);
	m->value[i] = value;
	m->set[i] = true;
	return 0;
}

/* As do_tcp_getsockopt() gives an int. */
static long tell(struct record *r, const void *value, unsigned int size)
{
	unsigned int room;

	if (copy_bytes(&room, (void *)r->r8, sizeof(room)) < 0)
		return -EFAULT;
	if ((int)room < 0)
		return -EINVAL;
	if (room > size)
		room = size;
	if (copy_bytes((void *)r->r10, value, room) < 0 ||
	    copy_bytes((void *)r->r8, &room, sizeof(room)) < 0)
		return -EFAULT;
	return 0;
}

static bool is_lower(const struct record *r)
{
	return (int)r->rsi == IPPROTO_TCP || (int)r->rsi == IPPROTO_IP ||
	       (int)r->rsi == IPPROTO_IPV6;
}

static void note_set(long fd, const struct record *r)
{
	struct listener *l = loopback_find(fd);
	unsigned int state = loopback_state(fd);

	if (state)
		loopback_state_set(fd, (int)r->rsi == IPPROTO_IPV6
				   ? state & ~(unsigned int)MADE
				   : state | OPTIONS);
	if (!l)
		return;
	if ((int)r->rsi == SOL_SOCKET && (int)r->rdx == SO_REUSEPORT)
		loopback_alone(fd);
	loopback_options_read(&l->options, fd);
}

static long call_setsockopt(struct record *r)
{
	long result = call_before(&before, r);
	struct ends e;
	int i;

	if (result == 0)
		note_set((int)r->rdi, r);
	if (result != -EOPNOTSUPP || !is_lower(r) ||
	    !loopback_ends((int)r->rdi, &e))
		return result;
	i = kept_index(r);
	return i >= 0 ? set_kept(r, i) : ask_new(r, &e);
}

static long get_lower(struct record *r, const struct ends *e)
{
	static const unsigned char state = TCP_ESTABLISHED;
	int i = kept_index(r);
	struct remembered *m = i >= 0 ? remembered_of((int)r->rdi, false) : NULL;
	long result;

	if (m && m->set[i])
		return tell(r, &m->value[i], sizeof(int));
	result = ask_new(r, e);
	if (result == 0 && (int)r->rsi == IPPROTO_TCP &&
	    (int)r->rdx == TCP_INFO)
		result = copy_bytes((void *)r->r10, &state, 1);
	return result;
}

static long call_getsockopt(struct record *r)
{
	static const int protocol = IPPROTO_TCP, nobody[3] = { 0, -1, -1 };
	int name = (int)r->rdx, family;
	struct ends e;
	long result;

	if ((int)r->rsi != SOL_SOCKET || (name != SO_PROTOCOL &&
	    name != SO_DOMAIN && name != SO_PEERCRED)) {
		result = call_before(&before, r);
		return result == -EOPNOTSUPP && is_lower(r) &&
		       loopback_ends((int)r->rdi, &e) ? get_lower(r, &e)
						      : result;
	}
	if (!loopback_ends((int)r->rdi, &e))
		return call_before(&before, r);
	family = (int)e.family;
	if (name == SO_PEERCRED)
		return tell(r, nobody, sizeof(nobody));
	return tell(r, name == SO_DOMAIN ? &family : &protocol, sizeof(int));
}

static long call_name(struct record *r)
{
	struct ends e;
	struct inet a;

	if (!loopback_ends((int)r->rdi, &e))
		return call_before(&before, r);
	inet_make(&a, e.family, r->nr == __NR_getsockname ? &e.local : &e.peer);
	return tell_address(a.bytes, a.size, r->rsi, r->rdx);
}

void loopback_options_add(void)
{
	dispatch_over(&before, __NR_setsockopt, call_setsockopt);
	dispatch_over(&before, __NR_getsockopt, call_getsockopt);
	dispatch_over(&before, __NR_getsockname, call_name);
	dispatch_over(&before, __NR_getpeername, call_name);
}
