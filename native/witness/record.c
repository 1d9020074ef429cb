// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "die.h"
#include "frame.h"
#include "record.h"
#include "seen.h"

#define BUFFER (FRAME_MAX + FRAME_HEADER + (256U << 10))

enum record_type { R_READY = 48, R_SEEN, R_MOUNT, R_LOST, R_END };

static struct frame_writer out;
struct statistics statistics;

static void check(void)
{
	if (out.error) {
		errno = out.error;
		die_errno("cannot write the records");
	}
}

static void end(void)
{
	frame_end(&out);
	check();
}

static void put_text(const char *text)
{
	size_t n = strlen(text);

	put_bytes16(&out, text, n < 0xffff ? n : 0xffff);
}

void record_open(int fd)
{
	if (frame_writer_init(&out, fd, BUFFER) < 0)
		die("out of memory");
	put_raw(&out, "TRWITNE\1", 8);
	seen_init();
}

void record_flush(void)
{
	frame_flush(&out);
	check();
}

bool record_pending(void)
{
	return out.used > 0;
}

bool record_seen(pid_t pid, const struct seen_record *r)
{
	/* Of a process that has gone only its number can tell who it was. */
	uint32_t who = r->flags & SEEN_GONE ? (uint32_t)pid : 0;
	struct seen_key key = seen_key((uint32_t)(r->what << 8 | r->flags),
				       r->path, r->path_n, r->program,
				       r->program_n);

	if (who)
		key = seen_result(key, (int32_t)who);
	if (!seen_add(key)) {
		statistics.suppressed++;
		return false;
	}
	statistics.seen++;
	frame_begin(&out, R_SEEN, (uint32_t)pid);
	put_u8(&out, r->what);
	put_u8(&out, r->flags);
	put_bytes16(&out, r->path, r->path_n);
	put_bytes16(&out, r->program, r->program_n);
	end();
	return true;
}

void record_mount(uint8_t flags, int error, const char *target,
		  const char *type)
{
	frame_begin(&out, R_MOUNT, 0);
	put_u8(&out, flags);
	put_u32(&out, (uint32_t)error);
	put_text(target);
	put_text(type);
	end();
}

void record_lost(enum lost_reason reason, const char *text)
{
	if (!seen_add(seen_key(R_LOST << 16 | reason, text, strlen(text), NULL,
			       0)))
		return;
	frame_begin(&out, R_LOST, 0);
	put_u32(&out, reason);
	put_text(text);
	end();
}

void record_ready(uint32_t marked)
{
	frame_begin(&out, R_READY, 0);
	put_u32(&out, marked);
	end();
	record_flush();
}

void record_end(int status)
{
	frame_begin(&out, R_END, 0);
	put_u32(&out, (uint32_t)status);
	put_u64(&out, statistics.events);
	put_u64(&out, statistics.suppressed);
	put_u64(&out, statistics.outside);
	put_u64(&out, statistics.elsewhere);
	end();
	record_flush();
}
