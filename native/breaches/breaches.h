/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_BREACHES_H
#define TRANSHIP_BREACHES_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROUPS_MAX 16
#define WAKERS_MAX (2UL * GROUPS_MAX)
/* Seconds until the same limit is told again. */
#define TELL_AGAIN 10L
#define DETAIL_MAX 256

enum kind_of {
	KIND_PIDS,
	KIND_MEMORY,
	KIND_CPU,
	KIND_DISK,
	KIND_INGRESS,
	KIND_EGRESS,
	KIND_FILES,
	KINDS,
};

/* A limit, and what is still to be told of it. */
struct kind {
	const char *name;
	bool is_oom;
	uint64_t waiting;
	char detail[DETAIL_MAX];	/* ",\"name\":\"value\"..." */
	int64_t told;			/* 0: never */
};

struct options {
	const char *events;
	const char *log;
	const char *breach;
	const char *oom;
	const char *groups[GROUPS_MAX];
	size_t group_count;
	const char *disk;	/* as the runtime sees it */
	const char *device;	/* on the host */
	bool sends;		/* what eth0 sends is limited too */
	bool files;
	const char *health;	/* the word of init, or NULL */
	const char *healthy;	/* events up to their time */
	const char *unhealthy;
	int pid;
};

int64_t now_ms(void);
/* tell() - @count breaches of a limit; @detail: further attributes. */
void tell(enum kind_of kind, uint64_t count, const char *detail);

/* watch_begin() - before anything of the instance is there. */
void watch_begin(const struct options *o);
/* watch_wakers() - what says that something may have happened; its number. */
size_t watch_wakers(const struct options *o, struct pollfd *fds);
/* watch_woken() - Return: whether one of them says so. */
bool watch_woken(struct pollfd *fds, size_t count);
/* watch_look() - reads all counters and tells what has grown. */
void watch_look(const struct options *o);

/* health_look() - tells when the word in o->health has become another one. */
void health_look(const struct options *o);
/* tell_event() - @head: an event up to its time */
void tell_event(const struct options *o, const char *head);

/* files_look() - processes of @group whose descriptors are used up. */
void files_look(const char *group);

/* drops_begin() - the device may not be there yet. */
void drops_begin(const struct options *o);
void drops_look(const struct options *o);

#endif
