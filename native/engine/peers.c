// SPDX-License-Identifier: Apache-2.0
/*
 * One slot a peer, found by socket and real address: a socket without a
 * connection has many. A later one takes the slot, and a slot is its writer's
 * alone while its socket is BUSY; nobody waits.
 */
#include "kept.h"
#include "peers.h"
#include "sockets.h"
#include "text.h"

#define PEERS 512
#define BUSY 1UL

struct peer {
	uint64_t socket;
	struct endpoint asked, real;
};

static struct peer peers[PEERS] LARGE;

static struct peer *slot(uint64_t socket, const struct endpoint *real)
{
	uint64_t h = socket * 31 + real->port;

	for (unsigned int i = 0; i < real->size; i++)
		h = h * 31 + real->address[i];
	return &peers[h % PEERS];
}

void peers_keep(long fd, const struct endpoint *asked,
		const struct endpoint *real)
{
	uint64_t socket = socket_of(fd), was;
	struct peer *p = slot(socket, real);

	was = __atomic_load_n(&p->socket, __ATOMIC_RELAXED);
	if (socket <= BUSY || was == BUSY ||
	    !__atomic_compare_exchange_n(&p->socket, &was, BUSY, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	p->asked = *asked;
	p->real = *real;
	__atomic_store_n(&p->socket, socket, __ATOMIC_RELEASE);
}

bool peers_find(long fd, const struct endpoint *real, struct endpoint *asked)
{
	uint64_t socket = socket_of(fd);
	const struct peer *p = slot(socket, real);
	struct peer found;

	if (socket <= BUSY ||
	    __atomic_load_n(&p->socket, __ATOMIC_ACQUIRE) != socket)
		return false;
	found = *p;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&p->socket, __ATOMIC_RELAXED) != socket ||
	    !endpoint_same(&found.real, real))
		return false;
	*asked = found.asked;
	return true;
}
