// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "plan-entries.h"

#define MOST_SERVICES 256
#define MOST_OTHERS 4096

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

static void read_readiness(struct cursor *c, struct service_plan *s)
{
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
}

static void read_stop(struct cursor *c, struct service_plan *s)
{
	s->stop_signal = (int)get(c, 1);
	s->stop_timeout = get_u32(c);
	s->stop_command = get_strings(c);
	if (s->stop_signal < 1 || s->stop_signal > 64)
		refuse(c, "signal out of range");
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
	read_readiness(c, s);
	s->policy = get_choice(c, RESTART_ALWAYS);
	s->attempts = get_u32(c);
	s->backoff = get_u32(c);
	read_stop(c, s);
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

static bool too_many(const struct plan *p)
{
	return p->service_count > MOST_SERVICES || p->env.count > MOST_OTHERS ||
	       p->directory_count > MOST_OTHERS ||
	       p->volume_count > MOST_OTHERS || p->secret_count > MOST_OTHERS ||
	       p->program_count > MOST_OTHERS ||
	       p->schedule_count > MOST_OTHERS || p->socket_count > MOST_OTHERS;
}

void read_entry(struct cursor *c, unsigned int type, struct plan *p)
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
	if (too_many(p))
		refuse(c, "too many entries");
}
