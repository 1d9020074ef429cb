/* SPDX-License-Identifier: Apache-2.0 */
/* One loop over sources; each source knows what to do with its events. */
#ifndef TRANSHIP_PROXY_H
#define TRANSHIP_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct source {
	void (*handle)(struct source *source, uint32_t events);
	int fd;
};

struct endpoint {
	struct sockaddr_storage address;
	socklen_t length;
};

extern int poll_fd;

void poll_open(void);
/* poll_add() - Return: false where the kernel keeps no more. */
bool poll_add(struct source *source, uint32_t events);
void poll_remove(struct source *source);
void poll_set(struct source *source, uint32_t events);

/* listen_on() - @protocol "tcp" or "udp", @address and @port of the host,
 * @target "ADDRESS,PORT". Dies in words: "taken" where somebody listens. */
void listen_on(const char *protocol, const char *address, const char *port,
	       const char *target);

/* stream_listen(), datagram_listen() - @fd is bound. */
void stream_listen(int fd, const struct endpoint *target);
void datagram_listen(int fd, const struct endpoint *target);

/* sweep() - lets go what has ended since the last events, and of datagram
 * clients those that have not been heard of for a while. */
void sweep(void);
void stream_sweep(void);
void datagram_sweep(void);

#endif
