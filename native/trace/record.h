/* SPDX-License-Identifier: Apache-2.0 */
/* The records of docs/internals/records.md, section 2. */
#ifndef TRANSHIP_TRACE_RECORD_H
#define TRANSHIP_TRACE_RECORD_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "seen.h"

#define RESULT_NOT_ASKED (-1000000)

enum path_flag {
	PATH_NOFOLLOW = 1,
	PATH_I386 = 2,
	PATH_EXISTED = 4,
	PATH_FOREIGN = 8,
	PATH_FORETOLD = 16,
	PATH_TRUNCATED = 32,
	PATH_INHERITED = 64,
};

enum lost_reason {
	LOST_NO_SETUID = 0,	/* notes: the record is still complete */
	LOST_PTRACE = 1,
	LOST_UNREADABLE = 2,	/* from here on: something was not seen */
	LOST_IOURING = 3,
	LOST_X32 = 4,
	LOST_NOTIFY = 5,
	LOST_REFUSED = 6,
	LOST_LIMIT = 7,
};

struct span {
	const char *p;
	size_t n;
};

struct statistics {
	uint64_t records;
	uint64_t stops;
	uint64_t suppressed;
};

extern struct statistics statistics;

/*
 * record_limit() - to be called before record_open(): nothing is written
 * beyond @bytes, and a failure of writing ends the record, not the program.
 */
void record_limit(uint64_t bytes);
/* record_open() - says the magic; later failures of writing end the program. */
void record_open(int fd);
void record_flush(void);
/* record_timer() - asks for a SIGALRM soon. */
void record_timer(void);
/* record_alarm() - the handler of SIGALRM: it is time to write. */
void record_alarm(void);
/* record_tick() - writes where it is time; to be called after signals. */
void record_tick(void);

struct path_record {
	uint8_t op;
	uint8_t flags;
	int32_t result;
	struct span path;
	struct span second;
};

/*
 * record_key() - @program stands for what the task runs: what another program
 * does is another fact. Keyed without PATH_EXISTED and PATH_FORETOLD.
 */
struct seen_key record_key(const struct path_record *r, uint64_t program);
/* record_path() - written unless @key with this result was before. */
void record_path(pid_t pid, const struct path_record *r, struct seen_key key);

/* record_exec() - @kept is what exec_text_end() gave. */
void record_exec(pid_t pid, int32_t result, struct span kept,
		 struct span executable);
void record_fork(pid_t pid, pid_t child, uint8_t kind);
void record_exit(pid_t pid, int status);
void record_root(pid_t pid, uint8_t flags, struct span root);
void record_lost(pid_t pid, enum lost_reason reason, struct span text);
/* record_signal() - that @sender sent @sig to a task of @tgid; told once. */
void record_signal(pid_t tgid, int sig, pid_t sender);
/* record_call() - that some task made call @nr; each is told once. */
void record_call(pid_t pid, bool i386, uint64_t nr);
void record_end(pid_t pid, int status);

struct bind_record {
	uint16_t family;
	uint16_t port;
	struct span address;
	uint8_t kind;
	int32_t result;
};

void record_bind(pid_t pid, const struct bind_record *b);
/* bind_from() - reads @addr; its address points into it. */
struct bind_record bind_from(const struct sockaddr_storage *addr, size_t n);

#endif
