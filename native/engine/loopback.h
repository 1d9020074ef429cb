/* SPDX-License-Identifier: Apache-2.0 */
/* Fast loopback; loopback.c has the theory. */
#ifndef TRANSHIP_ENGINE_LOOPBACK_H
#define TRANSHIP_ENGINE_LOOPBACK_H

#include "dispatch.h"
#include "inet.h"

/* loopback_add() - answers the calls of sockets, where the policy wants it. */
void loopback_add(void);

/* Around fork(): what is noted stands still, and is the child's too. */
void loopback_fork_begin(void);
void loopback_fork_end(void);

/* Listeners that are kept open over execve(), as one word for the next start of
 * the engine. */
#define LOOPBACK_WORD 256
/* loopback_pass() - writes the word into @to; empty where there are none. */
void loopback_pass(char *to);
/* loopback_stay() - the execve() failed. */
void loopback_stay(void);
/* loopback_resume() - what follows "--loopback=" in that word. */
bool loopback_resume(const char *value);
/* loopback_leave() - the program that follows knows nothing of it: what it
 * inherits is the kernel's alone from now on. */
void loopback_leave(void);

/* What follows is between the files of the element. */

#define AF_UNIX 1
#define SOCK_STREAM 1
#define SOCK_NONBLOCK 04000
#define SOCK_CLOEXEC 02000000
#define SOL_SOCKET 1
#define SO_ERROR 4
#define SO_REUSEPORT 15
#define SO_PEERCRED 17
#define SO_ACCEPTCONN 30
#define SO_PROTOCOL 38
#define SO_DOMAIN 39
#define IPPROTO_IP 0
#define IPPROTO_TCP 6
#define IPPROTO_IPV6 41
#define IPV6_V6ONLY 26
#define MSG_OOB 1
#define F_DUPFD 0
#define F_GETFD 1
#define F_SETFD 2
#define F_GETFL 3
#define F_SETFL 4
#define F_DUPFD_CLOEXEC 1030
#define FD_CLOEXEC 1

/* loopback-names.c: who is who is told by names of AF_UNIX, which the kernel
 * keeps with the socket. */
struct loopback_name {
	unsigned short family;
	unsigned char magic[15];
	unsigned char role;		/* NAME_* */
	unsigned char inet;		/* family of the program's socket */
	unsigned char size;		/* of addresses; 0 = ::, IPv4 too */
	unsigned char local[16], local_port[2];
	unsigned char peer[16], peer_port[2];
};

#define NAME_LISTENER 'l'
#define NAME_CLIENT 'c'

/* How a connection looks to the program. */
struct ends {
	unsigned int family;
	struct endpoint local, peer;
};

/* loopback_listener() - the name of who listens at @at; @both: at :: and for
 * IPv4 as well. */
void loopback_listener(struct loopback_name *n, const struct endpoint *at,
		       bool both);
/* loopback_client() - the name of the connecting end of @e. */
void loopback_client(struct loopback_name *n, const struct ends *e);
/* loopback_ends() - whether @fd is a connection of this element, and whose. */
bool loopback_ends(long fd, struct ends *e);
/* loopback_listens() - whether @mailbox belongs to the listener @fd. */
bool loopback_listens(long mailbox, long fd);

/* loopback-fds.c: which descriptors are listeners, and where their mailboxes are. */
#define LOOPBACK_FDS 4096

/* Options that a connection has from its socket of TCP. */
#define KEPT_SOCKET 10
#define KEPT_TCP 7
struct loopback_options {
	bool tcp_set;
	unsigned char sizes[KEPT_SOCKET];	/* 0 = as it was made */
	unsigned char values[KEPT_SOCKET][16];
	int tcp[KEPT_TCP];
};

struct listener {
	long mailbox;
	unsigned int users;	/* descriptors; 0 = the place is free */
	struct loopback_options options;
};

/* loopback_tracked() - not in a child of vfork(), which has descriptors of its
 * own and the notes of its parent. */
bool loopback_tracked(long fd);
/* loopback_find() - NULL = it is none. */
struct listener *loopback_find(long fd);
/* loopback_note() - @fd listens, and @mailbox is its mailbox; it is closed
 * where there are too many. */
void loopback_note(long fd, long mailbox);
/* loopback_alone() - no more connections by the mailbox of @fd: somebody may
 * accept() there who does not know it. */
void loopback_alone(long fd);
void loopback_lock(void);
void loopback_unlock(void);
void loopback_fds_add(void);

/* loopback-listen.c */
/* loopback_ring() - a connection of TCP to @to that says that another waits;
 * false where it is not taken at once. */
bool loopback_ring(const struct endpoint *to);
void loopback_listen_add(void);

/* loopback-connect.c: what is known of a socket that this process made, has
 * not shared, and that is not connected. 0 = nothing. */
#define MADE 1		/* here, and never shared */
#define BOUND 2
#define OPTIONS 4	/* some are set */
#define SIX 16		/* of IPv6 */
#define TOLD 8		/* connected, and the program believes: in progress */
unsigned int loopback_state(long fd);
void loopback_state_set(long fd, unsigned int state);
void loopback_state_clear(void);
/* loopback_sent() - the message at @header may give descriptors away. */
void loopback_sent(unsigned long header);
void loopback_connect_add(void);

/* loopback-options.c */
/* loopback_options_read() - of a socket of TCP; loopback_options_give() - to
 * one of AF_UNIX. */
void loopback_options_read(struct loopback_options *o, long fd);
void loopback_options_give(const struct loopback_options *o, long fd);
void loopback_options_add(void);

#endif
