// SPDX-License-Identifier: Apache-2.0
/* `init --check PLAN`: the plan as JSON, in the shape of InitPlan. */
#include <stdlib.h>
#include <unistd.h>

#include "die.h"
#include "frame.h"
#include "json.h"
#include "plan.h"

static const char *const startups[] = { "auto", "manual", "disabled" };
static const char *const types[] = { "simple", "forking", "oneshot" };
static const char *const kinds[] = { "none", "port", "file", "exec", "log" };
static const char *const policies[] = { "no", "on-failure", "always" };
static const char *const initials[] = { "none", "copy", "sync" };
static const char *const deliveries[] = { "mount", "env" };

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

static void key(struct text *t, const char *name, const char *value)
{
	text_format(t, "\"%s\":", name);
	json_text(t, value);
}

static void strings(struct text *t, const char *name,
		    const struct strings *s)
{
	size_t i;

	text_format(t, "\"%s\":[", name);
	for (i = 0; i < s->count; i++) {
		text_add(t, ",", i > 0);
		json_text(t, s->list[i]);
	}
	text_add(t, "]", 1);
}

static void variables(struct text *t, const struct variables *v)
{
	size_t i;

	text_format(t, "\"environment\":[");
	for (i = 0; i < v->count; i++) {
		text_format(t, "%s[", i ? "," : "");
		json_text(t, v->list[i].name);
		text_add(t, ",", 1);
		json_text(t, v->list[i].value);
		text_add(t, "]", 1);
	}
	text_add(t, "]", 1);
}

static void bits(struct text *t, const char *name, uint64_t set)
{
	bool first = true;
	int n;

	text_format(t, "\"%s\":[", name);
	for (n = 0; n < 64; n++) {
		if (!(set >> n & 1))
			continue;
		text_format(t, first ? "%d" : ",%d", n);
		first = false;
	}
	text_format(t, "],");
}

static void print_service(struct text *t, const struct service_plan *s)
{
	size_t i;

	text_add(t, "{", 1);
	key(t, "name", s->name);
	text_format(t, ",\"program\":%u,\"startup\":\"%s\",\"essential\":%s,"
		    "\"type\":\"%s\",", s->program, startups[s->startup],
		    truth(s->essential), types[s->type]);
	key(t, "pidFile", s->pid_file);
	text_format(t, ",\"after\":[");
	for (i = 0; i < s->after_count; i++)
		text_format(t, i ? ",%u" : "%u", s->after[i]);
	text_format(t, "],\"readiness\":{\"kind\":\"%s\",\"timeout\":%u",
		    kinds[s->ready], s->ready_timeout);
	if (s->ready == READY_PORT)
		text_format(t, ",\"port\":%u", s->ready_port);
	if (s->ready == READY_FILE || s->ready == READY_LOG) {
		text_add(t, ",", 1);
		key(t, kinds[s->ready], s->ready_text);
	}
	if (s->ready == READY_EXEC) {
		text_add(t, ",", 1);
		strings(t, "exec", &s->ready_exec);
	}
	text_format(t, "},\"restart\":{\"policy\":\"%s\",\"attempts\":",
		    policies[s->policy]);
	if (s->attempts == PLAN_NO_END)
		text_format(t, "null");
	else
		text_format(t, "%u", s->attempts);
	text_format(t, ",\"backoff\":%u},\"stop\":{\"signal\":%d,"
		    "\"timeout\":%u,", s->backoff, s->stop_signal,
		    s->stop_timeout);
	strings(t, "command", &s->stop_command);
	text_format(t, "}}");
}

static void print_schedule(struct text *t, const struct schedule_plan *s)
{
	const struct cron *c = &s->cron;

	text_add(t, "{", 1);
	key(t, "name", s->name);
	text_add(t, ",", 1);
	key(t, "expression", s->expression);
	text_format(t, ",\"program\":%u,\"times\":{", s->program);
	bits(t, "minutes", c->minutes);
	bits(t, "hours", c->hours);
	bits(t, "days", c->days);
	bits(t, "months", c->months);
	bits(t, "weekdays", c->weekdays);
	text_format(t, "\"anyDay\":%s,\"anyWeekday\":%s,\"fixed\":%s,"
		    "\"atStart\":%s}}", truth(c->flags & CRON_ANY_DAY),
		    truth(c->flags & CRON_ANY_WEEKDAY),
		    truth(c->flags & CRON_FIXED),
		    truth(c->flags & CRON_AT_START));
}

static void print_socket(struct text *t, const struct socket_plan *s)
{
	static const char *const kinds_of_socket[] = { "stream", "datagram",
						       "seqpacket" };

	text_format(t, "{\"service\":%u,\"type\":\"%s\",\"given\":\"%s\",",
		    s->service, kinds_of_socket[s->type],
		    s->given == GIVEN_INPUT ? "input" : "listen");
	key(t, "name", s->name);
	text_add(t, ",", 1);
	key(t, "address", s->address);
	text_format(t, ",\"port\":%u,\"mode\":%u,\"uid\":%u,\"gid\":%u,"
		    "\"ipv6Only\":%s}", s->port, s->mode, s->uid, s->gid,
		    truth(s->ipv6_only));
}

static void print_program(struct text *t, const struct program *p)
{
	text_add(t, "{", 1);
	key(t, "name", p->name);
	text_add(t, ",", 1);
	strings(t, "command", &p->command);
	text_add(t, ",", 1);
	key(t, "workingDirectory", p->cwd);
	text_add(t, ",", 1);
	key(t, "user", p->user);
	text_add(t, ",", 1);
	variables(t, &p->env);
	text_add(t, "}", 1);
}

static void print_surroundings(struct text *t, const struct plan *p)
{
	size_t i;

	text_format(t, ",\"directories\":[");
	for (i = 0; i < p->directory_count; i++) {
		const struct directory *d = &p->directories[i];

		text_format(t, i ? ",{" : "{");
		key(t, "path", d->path);
		text_format(t, ",\"mode\":%u,\"uid\":%u,\"gid\":%u,", d->mode,
			    d->uid, d->gid);
		text_format(t, "\"empty\":%s}", d->empty ? "true" : "false");
	}
	text_format(t, "],\"volumes\":[");
	for (i = 0; i < p->volume_count; i++) {
		const struct volume *v = &p->volumes[i];

		text_format(t, i ? ",{" : "{");
		key(t, "path", v->path);
		text_format(t, ",\"initial\":\"%s\",\"promised\":%s}",
			    initials[v->initial], truth(v->promised));
	}
	text_format(t, "],\"secrets\":[");
	for (i = 0; i < p->secret_count; i++) {
		const struct secret *s = &p->secrets[i];

		text_format(t, "%s{\"delivery\":\"%s\",", i ? "," : "",
			    deliveries[s->delivery]);
		key(t, "name", s->name);
		text_format(t, ",\"required\":%s,", truth(s->required));
		key(t, "reason", s->reason);
		text_add(t, "}", 1);
	}
	text_add(t, "]", 1);
}

void plan_print(const struct plan *p)
{
	struct text t = { 0 };
	size_t i;

	text_format(&t, "{\"log\":{\"maxSize\":%llu,\"maxFiles\":%u},",
		    (unsigned long long)p->log_max_size, p->log_max_files);
	variables(&t, &p->env);
	print_surroundings(&t, p);
	text_format(&t, ",\"programs\":[");
	for (i = 0; i < p->program_count; i++) {
		text_add(&t, ",", i > 0);
		print_program(&t, &p->programs[i]);
	}
	text_format(&t, "],\"services\":[");
	for (i = 0; i < p->service_count; i++) {
		text_add(&t, ",", i > 0);
		print_service(&t, &p->services[i]);
	}
	text_format(&t, "],\"schedules\":[");
	for (i = 0; i < p->schedule_count; i++) {
		text_add(&t, ",", i > 0);
		print_schedule(&t, &p->schedules[i]);
	}
	text_format(&t, "],\"sockets\":[");
	for (i = 0; i < p->socket_count; i++) {
		text_add(&t, ",", i > 0);
		print_socket(&t, &p->sockets[i]);
	}
	text_format(&t, "]}\n");
	if (write_all(STDOUT_FILENO, t.at, t.used) < 0)
		die_errno("cannot write to stdout");
	free(t.at);
}
