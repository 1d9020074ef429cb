/* SPDX-License-Identifier: Apache-2.0 */
/* What the witness says: docs/internals/records.md, section 4. */
#ifndef TRANSHIP_WITNESS_RECORD_H
#define TRANSHIP_WITNESS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum what { SEEN_OPEN = 1, SEEN_EXEC, SEEN_WRITTEN };

enum {
	SEEN_DIRECTORY = 1,	/* a directory was opened */
	SEEN_DELETED = 2,	/* nothing has this name any more */
	SEEN_OUTSIDE = 4,	/* the process is not one of those meant */
	SEEN_GONE = 8,		/* the process had gone: whether it was meant
				 * and what it ran cannot be asked */
};

enum {
	MOUNT_LATER = 1,	/* it appeared while we watched */
	MOUNT_UNMARKED = 2,	/* not watched */
};

enum lost_reason {
	LOST_OVERFLOW = 1,
	LOST_EVENT = 2,		/* the kernel could not open its file for us */
	LOST_MOUNTS = 3,	/* the list of mounts could not be read */
	LOST_ALL = 4,		/* no fanotify here: CMD runs unwatched */
};

struct seen_record {
	uint8_t what;
	uint8_t flags;
	const char *path;
	size_t path_n;
	const char *program;
	size_t program_n;
};

struct statistics {
	uint64_t events;
	uint64_t seen;		/* records of what was seen */
	uint64_t suppressed;	/* already said */
	uint64_t elsewhere;	/* not below the root */
	uint64_t outside;	/* of processes not meant, where those are
				 * not reported */
};

extern struct statistics statistics;

void record_open(int fd);
/* record_seen() - false where it was said before. */
bool record_seen(pid_t pid, const struct seen_record *r);
void record_mount(uint8_t flags, int error, const char *target,
		  const char *type);
void record_lost(enum lost_reason reason, const char *text);
void record_ready(uint32_t marked);
void record_end(int status);
/* record_flush() - dies where the descriptor cannot be written. */
void record_flush(void);
bool record_pending(void);

#endif
