// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>

#include "die.h"
#include "frame.h"
#include "record.h"

#define BUFFER (FRAME_MAX + FRAME_HEADER + (256U << 10))
#define FLUSH_MS 200
#define FLUSH_SIZE (128U << 10)

enum record_type {
	R_PATH = 32, R_EXEC, R_FORK, R_EXIT, R_BIND, R_ROOT, R_LOST, R_END,
	R_CALL, R_SIGNAL,
};

static struct frame_writer out;
static bool timer_runs;
static volatile sig_atomic_t alarmed;
/* With a limit: the record may end before what it tells of does. */
static uint64_t limit, written;
static bool broken_off;
struct statistics statistics;

static void check(void)
{
	if (out.error && limit > 0) {
		out.error = 0;
		out.used = 0;
		broken_off = true;
	} else if (out.error) {
		errno = out.error;
		die_errno("cannot write the trace");
	}
}

static void timer(unsigned ms)
{
	struct itimerval t = { .it_interval.tv_usec = (suseconds_t)ms * 1000,
			       .it_value.tv_usec = (suseconds_t)ms * 1000 };

	setitimer(ITIMER_REAL, &t, NULL);
	timer_runs = ms > 0;
}

void record_limit(uint64_t bytes)
{
	limit = bytes;
}

void record_open(int fd)
{
	if (frame_writer_init(&out, fd, BUFFER) < 0)
		die("out of memory");
	put_raw(&out, "TRTRACE\1", 8);
	seen_init();
	record_flush();
}

void record_flush(void)
{
	written += out.used;
	frame_flush(&out);
	check();
}

void record_alarm(void)
{
	alarmed = 1;
}

void record_tick(void)
{
	if (!alarmed)
		return;
	alarmed = 0;
	if (out.used > 0)
		record_flush();
	else if (timer_runs)
		timer(0);
}

void record_timer(void)
{
	if (!timer_runs)
		timer(FLUSH_MS);
}

/* The last record that is written tells why it is the last. */
static void break_off(pid_t pid)
{
	static const char text[] = "the record has reached its limit";

	frame_begin(&out, R_LOST, (uint32_t)pid);
	put_u32(&out, LOST_LIMIT);
	put_bytes16(&out, text, sizeof(text) - 1);
	frame_end(&out);
	record_flush();
	broken_off = true;
}

static void begin(uint8_t type, pid_t pid)
{
	/* Counted here: frame_begin() writes by itself when it must. */
	if (limit > 0 && out.used >= FLUSH_SIZE)
		record_flush();
	if (limit > 0 && !broken_off && written + out.used >= limit)
		break_off(pid);
	/* What comes now is written nowhere. */
	if (broken_off)
		out.used = out.start = 0;
	record_timer();
	frame_begin(&out, type, (uint32_t)pid);
}

static void end(void)
{
	frame_end(&out);
	check();
	if (broken_off)
		out.used = out.start = 0;
	else
		statistics.records++;
}

static void put_span(struct span s)
{
	put_bytes16(&out, s.p, s.n);
}

struct seen_key record_key(const struct path_record *r, uint64_t program)
{
	uint8_t flags = r->flags & (uint8_t)~(PATH_EXISTED | PATH_FORETOLD);

	struct seen_key key;

	key = seen_key((uint32_t)(r->op << 8 | flags), r->path.p, r->path.n,
		       r->second.p, r->second.n);
	key.b ^= program;
	return key;
}

void record_path(pid_t pid, const struct path_record *r, struct seen_key key)
{
	if (r->result < 0)
		key = seen_result(key, r->result);
	if (!seen_add(key)) {
		statistics.suppressed++;
		return;
	}
	begin(R_PATH, pid);
	put_u8(&out, r->op);
	put_u8(&out, r->flags);
	put_u32(&out, (uint32_t)r->result);
	put_span(r->path);
	put_span(r->second);
	end();
}

void record_exec(pid_t pid, int32_t result, struct span kept,
		 struct span executable)
{
	begin(R_EXEC, pid);
	put_u32(&out, (uint32_t)result);
	put_raw(&out, kept.p, kept.n);
	put_span(executable);
	end();
}

void record_fork(pid_t pid, pid_t child, uint8_t kind)
{
	begin(R_FORK, pid);
	put_u32(&out, (uint32_t)child);
	put_u8(&out, kind);
	end();
}

void record_exit(pid_t pid, int status)
{
	begin(R_EXIT, pid);
	put_u32(&out, (uint32_t)status);
	end();
}

void record_root(pid_t pid, uint8_t flags, struct span root)
{
	begin(R_ROOT, pid);
	put_u8(&out, flags);
	put_span(root);
	end();
}

void record_lost(pid_t pid, enum lost_reason reason, struct span text)
{
	if (!seen_add(seen_key(R_LOST << 16 | reason, text.p, text.n, NULL,
			       0)))
		return;
	begin(R_LOST, pid);
	put_u32(&out, reason);
	put_span(text);
	end();
}

void record_signal(pid_t tgid, int sig, pid_t sender)
{
	if (!seen_add(seen_key(R_SIGNAL << 16 | (uint32_t)sig, &tgid,
			       sizeof(tgid), NULL, 0)))
		return;
	begin(R_SIGNAL, tgid);
	put_u8(&out, (uint8_t)sig);
	put_u32(&out, (uint32_t)sender);
	end();
}

void record_call(pid_t pid, bool i386, uint64_t nr)
{
	static bool told[2][1024];

	if (nr >= sizeof(told[0]) || told[i386][nr])
		return;
	told[i386][nr] = true;
	begin(R_CALL, pid);
	put_u8(&out, i386);
	put_u16(&out, (uint16_t)nr);
	end();
}

void record_end(pid_t pid, int status)
{
	begin(R_END, pid);
	put_u32(&out, (uint32_t)status);
	put_u64(&out, statistics.records);
	put_u64(&out, statistics.stops);
	put_u64(&out, statistics.suppressed);
	end();
	record_flush();
}

void record_bind(pid_t pid, const struct bind_record *b)
{
	uint32_t head[2] = { b->kind, (uint32_t)b->family << 16 | b->port };
	struct seen_key key = seen_key(R_BIND << 16, head, sizeof(head),
				       b->address.p, b->address.n);

	if (b->result < 0)
		key = seen_result(key, b->result);
	if (!seen_add(key)) {
		statistics.suppressed++;
		return;
	}
	begin(R_BIND, pid);
	put_u16(&out, b->family);
	put_u16(&out, b->port);
	put_span(b->address);
	put_u8(&out, b->kind);
	put_u32(&out, (uint32_t)b->result);
	end();
}

struct bind_record bind_from(const struct sockaddr_storage *addr, size_t n)
{
	const struct sockaddr_in *in = (const void *)addr;
	const struct sockaddr_in6 *in6 = (const void *)addr;
	const struct sockaddr_un *un = (const void *)addr;
	struct bind_record b = { .family = addr->ss_family };
	size_t head = offsetof(struct sockaddr_un, sun_path);

	if (b.family == AF_INET && n >= sizeof(*in)) {
		b.port = ntohs(in->sin_port);
		b.address = (struct span){ (const char *)&in->sin_addr, 4 };
	} else if (b.family == AF_INET6 && n >= 24) {
		b.port = ntohs(in6->sin6_port);
		b.address = (struct span){ (const char *)&in6->sin6_addr, 16 };
	} else if (b.family == AF_UNIX && n > head) {
		b.address = (struct span){ un->sun_path, n - head };
		/* A name with a leading NUL is abstract, all of it counts. */
		if (un->sun_path[0] != '\0')
			b.address.n = strnlen(un->sun_path, n - head);
	}
	return b;
}
