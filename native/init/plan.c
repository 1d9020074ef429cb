// SPDX-License-Identifier: Apache-2.0
/*
 * Theory: one pass over the bytes. A cursor never moves beyond the end of the
 * frame it stands in; the first breach sets cursor.why and makes all later
 * reads return zeroes, so that callers check once per frame. Texts are copied
 * with a NUL behind them; since each takes at least its two length bytes in a
 * file of at most 4 MiB, memory is bounded by a small multiple of the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"
#include "frame.h"
#include "plan.h"

#define MOST_BYTES (4U << 20)
#define MOST_SERVICES 256
#define MOST_OTHERS 4096

enum frame_type { F_END, F_LOG, F_ENV, F_DIRECTORY, F_VOLUME, F_SECRET,
		  F_PROGRAM, F_SERVICE, F_SCHEDULE, F_SOCKET,
		  F_EMPTY };

static const unsigned char magic[8] = { 'T', 'R', 'I', 'N', 'I', 'T', 0, 1 };

struct cursor {
	const unsigned char *at, *end;
	const char *why;
};

static void *allocate(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size);

	if (!p)
		die("out of memory while reading the plan");
	return p;
}

static void refuse(struct cursor *c, const char *why)
{
	if (!c->why)
		c->why = why;
	c->at = c->end;
}

static uint64_t get(struct cursor *c, size_t n)
{
	uint64_t v = 0;
	size_t i;

	if ((size_t)(c->end - c->at) < n) {
		refuse(c, "cut off");
		return 0;
	}
	for (i = 0; i < n; i++)
		v |= (uint64_t)c->at[i] << (8 * i);
	c->at += n;
	return v;
}

static uint16_t get_u16(struct cursor *c)
{
	return (uint16_t)get(c, 2);
}

static uint32_t get_u32(struct cursor *c)
{
	return (uint32_t)get(c, 4);
}

static unsigned int get_choice(struct cursor *c, unsigned int last)
{
	unsigned int v = (unsigned int)get(c, 1);

	if (v > last) {
		refuse(c, "value out of range");
		return 0;
	}
	return v;
}

static char *get_text(struct cursor *c, size_t width)
{
	size_t n = (size_t)get(c, width);
	char *text;

	if (c->why || (size_t)(c->end - c->at) < n) {
		refuse(c, "cut off");
		n = 0;
	}
	if (memchr(c->at, 0, n)) {
		refuse(c, "NUL in a text");
		n = 0;
	}
	text = allocate(n + 1, 1);
	memcpy(text, c->at, n);
	c->at += n;
	return text;
}

static char *get_name(struct cursor *c)
{
	char *text = get_text(c, 2);

	if (!*text)
		refuse(c, "empty name");
	return text;
}

static char *get_path(struct cursor *c)
{
	char *text = get_text(c, 2);

	if (*text != '/')
		refuse(c, "path that is not absolute");
	return text;
}

static struct strings get_strings(struct cursor *c)
{
	struct strings s = { .count = get_u16(c) };
	size_t i;

	/* Each takes four bytes at least: do not allocate on a mere promise. */
	if (s.count > (size_t)(c->end - c->at) / 4) {
		refuse(c, "cut off");
		s.count = 0;
	}
	s.list = allocate(s.count + 1, sizeof(*s.list));
	for (i = 0; i < s.count; i++)
		s.list[i] = get_text(c, 4);
	return s;
}

static struct variable get_variable(struct cursor *c)
{
	struct variable v;

	v.name = get_name(c);
	v.value = get_text(c, 4);
	if (strchr(v.name, '='))
		refuse(c, "= in the name of a variable");
	return v;
}

static uint16_t get_index(struct cursor *c, size_t count)
{
	uint16_t v = get_u16(c);

	if (v >= count) {
		refuse(c, "index out of range");
		return 0;
	}
	return v;
}

/* Grows the array that *@list points to by powers of two and returns its new,
 * zeroed last element. */
static void *append(void *list, size_t *count, size_t size)
{
	size_t n = *count;
	char *base;

	memcpy(&base, list, sizeof(base));
	if ((n & (n - 1)) == 0) {
		base = realloc(base, (n ? 2 * n : 1) * size);
		if (!base)
			die("out of memory while reading the plan");
		memcpy(list, &base, sizeof(base));
	}
	*count = n + 1;
	return memset(base + n * size, 0, size);
}

static void read_directory(struct cursor *c, struct plan *p)
{
	struct directory *d = append(&p->directories, &p->directory_count,
				     sizeof(*d));

	d->mode = get_u32(c);
	d->uid = get_u32(c);
	d->gid = get_u32(c);
	d->path = get_path(c);
	if (d->mode > 07777)
		refuse(c, "mode out of range");
}

/* Of the directory before it, whose path it repeats. */
static void read_empty(struct cursor *c, struct plan *p)
{
	struct directory *d = p->directory_count ?
		&p->directories[p->directory_count - 1] : NULL;
	char *path = get_path(c);

	if (!d || d->empty || strcmp(d->path, path) != 0)
		refuse(c, "not the directory before it");
	else
		d->empty = true;
	free(path);
}

static void read_volume(struct cursor *c, struct plan *p)
{
	struct volume *v = append(&p->volumes, &p->volume_count, sizeof(*v));

	v->initial = get_choice(c, INITIAL_SYNC);
	v->promised = get_choice(c, 1);
	v->path = get_path(c);
}

static void read_secret(struct cursor *c, struct plan *p)
{
	struct secret *s = append(&p->secrets, &p->secret_count, sizeof(*s));

	s->delivery = get_choice(c, DELIVERY_ENV);
	s->required = get_choice(c, 1);
	s->name = get_name(c);
	s->reason = get_text(c, 2);
}

static void read_program(struct cursor *c, struct plan *p)
{
	struct program *g = append(&p->programs, &p->program_count,
				   sizeof(*g));
	size_t i;

	g->name = get_name(c);
	g->cwd = get_text(c, 2);
	g->user = get_text(c, 2);
	g->command = get_strings(c);
	if (g->command.count == 0)
		refuse(c, "program without a command");
	g->env.count = get_u16(c);
	if (g->env.count > (size_t)(c->end - c->at) / 6) {
		refuse(c, "cut off");
		g->env.count = 0;
	}
	g->env.list = allocate(g->env.count, sizeof(*g->env.list));
	for (i = 0; i < g->env.count; i++)
		g->env.list[i] = get_variable(c);
}

static void read_service(struct cursor *c, struct plan *p)
{
	size_t self = p->service_count, i;
	struct service_plan *s = append(&p->services, &p->service_count,
					sizeof(*s));

	s->name = get_name(c);
	s->program = get_index(c, p->program_count);
	s->startup = get_choice(c, STARTUP_DISABLED);
	s->essential = get_choice(c, 1);
	s->type = get_choice(c, TYPE_ONESHOT);
	s->pid_file = get_text(c, 2);
	if (s->type == TYPE_FORKING && !*s->pid_file)
		refuse(c, "forking service without a pid file");
	s->after_count = get_u16(c);
	if (s->after_count > (size_t)(c->end - c->at) / 2) {
		refuse(c, "cut off");
		s->after_count = 0;
	}
	s->after = allocate(s->after_count, sizeof(*s->after));
	for (i = 0; i < s->after_count; i++)
		s->after[i] = get_index(c, self);
	s->ready = get_choice(c, READY_LOG);
	s->ready_timeout = get_u32(c);
	s->ready_port = get_u16(c);
	s->ready_text = get_text(c, 2);
	s->ready_exec = get_strings(c);
	if ((s->ready == READY_PORT) != (s->ready_port > 0) ||
	    (s->ready == READY_EXEC) != (s->ready_exec.count > 0) ||
	    (s->ready == READY_FILE || s->ready == READY_LOG) !=
	    (*s->ready_text != 0))
		refuse(c, "readiness that contradicts itself");
	s->policy = get_choice(c, RESTART_ALWAYS);
	s->attempts = get_u32(c);
	s->backoff = get_u32(c);
	s->stop_signal = (int)get(c, 1);
	s->stop_timeout = get_u32(c);
	s->stop_command = get_strings(c);
	if (s->stop_signal < 1 || s->stop_signal > 64)
		refuse(c, "signal out of range");
}

static void read_schedule(struct cursor *c, struct plan *p)
{
	struct schedule_plan *s = append(&p->schedules, &p->schedule_count,
					 sizeof(*s));
	struct cron *t = &s->cron;

	s->name = get_name(c);
	s->program = get_index(c, p->program_count);
	s->expression = get_text(c, 2);
	t->minutes = get(c, 8);
	t->hours = get_u32(c);
	t->days = get_u32(c);
	t->months = get_u16(c);
	t->weekdays = (uint8_t)get(c, 1);
	t->flags = (uint8_t)get(c, 1);
	if (t->minutes >> 60 || t->hours >> 24 || (t->days & 1) ||
	    t->months >> 13 || (t->months & 1) || t->weekdays >> 7 ||
	    t->flags > 15)
		refuse(c, "bit out of range");
}

static void read_socket(struct cursor *c, struct plan *p)
{
	struct socket_plan *s = append(&p->sockets, &p->socket_count,
				       sizeof(*s));
	bool is_unix;

	s->service = get_index(c, p->service_count);
	s->type = get_choice(c, SOCKET_SEQPACKET);
	s->given = get_choice(c, GIVEN_INPUT);
	s->name = get_name(c);
	s->address = get_text(c, 2);
	s->port = get_u16(c);
	s->mode = get_u32(c);
	s->uid = get_u32(c);
	s->gid = get_u32(c);
	s->ipv6_only = get_choice(c, 1);
	is_unix = *s->address == '/' || *s->address == '@';
	if (strchr(s->name, ':') || strlen(s->name) > 255)
		refuse(c, "name of a socket out of range");
	if (is_unix == (s->port > 0) ||
	    (s->type == SOCKET_SEQPACKET && !is_unix))
		refuse(c, "socket that contradicts itself");
	if (s->mode > 0777)
		refuse(c, "mode out of range");
}

static void read_frame(struct cursor *c, unsigned int type, struct plan *p)
{
	struct variable *v;

	switch (type) {
	case F_LOG:
		p->log_max_size = get(c, 8);
		p->log_max_files = get_u32(c);
		if (p->log_max_size >> 53)
			refuse(c, "size out of range");
		break;
	case F_ENV:
		v = append(&p->env.list, &p->env.count, sizeof(*v));
		*v = get_variable(c);
		break;
	case F_DIRECTORY:
		read_directory(c, p);
		break;
	case F_EMPTY:
		read_empty(c, p);
		break;
	case F_VOLUME:
		read_volume(c, p);
		break;
	case F_SECRET:
		read_secret(c, p);
		break;
	case F_PROGRAM:
		read_program(c, p);
		break;
	case F_SERVICE:
		read_service(c, p);
		break;
	case F_SCHEDULE:
		read_schedule(c, p);
		break;
	case F_SOCKET:
		read_socket(c, p);
		break;
	default:
		refuse(c, "unknown frame type");
	}
	if (!c->why && c->at != c->end)
		refuse(c, "bytes left in a frame");
	if (p->service_count > MOST_SERVICES || p->env.count > MOST_OTHERS ||
	    p->directory_count > MOST_OTHERS ||
	    p->volume_count > MOST_OTHERS || p->secret_count > MOST_OTHERS ||
	    p->program_count > MOST_OTHERS ||
	    p->schedule_count > MOST_OTHERS || p->socket_count > MOST_OTHERS)
		refuse(c, "too many entries");
}

const char *plan_decode(const unsigned char *bytes, size_t size,
			struct plan *out)
{
	struct cursor c = { .at = bytes, .end = bytes + size };
	int logs = 0;

	memset(out, 0, sizeof(*out));
	if (size > MOST_BYTES)
		return "larger than 4 MiB";
	if (size < sizeof(magic) || memcmp(bytes, magic, sizeof(magic)) != 0)
		return "wrong magic or another version";
	c.at += sizeof(magic);
	for (;;) {
		uint32_t length = get_u32(&c);
		unsigned int type = (unsigned int)get(&c, 1);
		struct cursor inner;

		if (c.why)
			return c.why;
		if (length > FRAME_MAX || length > (size_t)(c.end - c.at))
			return "frame beyond the end";
		if (type == F_END) {
			if (length || c.at != c.end)
				return "bytes after the end";
			return logs == 1 ? NULL : "not exactly one log frame";
		}
		logs += type == F_LOG;
		inner = (struct cursor){ .at = c.at, .end = c.at + length };
		read_frame(&inner, type, out);
		if (inner.why)
			return inner.why;
		c.at += length;
	}
}

const char *plan_read(const char *path, struct plan *out)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free unsigned char *bytes = NULL;
	struct stat st;
	long got;

	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return "not a regular file";
	}
	if (st.st_size > (off_t)MOST_BYTES) {
		errno = EINVAL;
		return "larger than 4 MiB";
	}
	bytes = allocate((size_t)st.st_size, 1);
	got = read_all(fd, bytes, (size_t)st.st_size);
	if (got < 0) {
		const char *why = strerror(errno);

		errno = EIO;
		return why;
	}
	errno = EINVAL;
	return plan_decode(bytes, (size_t)got, out);
}

const struct program *plan_program(const struct plan *plan, const char *name)
{
	size_t i;

	for (i = 0; i < plan->program_count; i++)
		if (strcmp(plan->programs[i].name, name) == 0)
			return &plan->programs[i];
	return NULL;
}
