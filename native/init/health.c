// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "environment.h"
#include "frame.h"
#include "health.h"
#include "json.h"
#include "process.h"
#include "record.h"
#include "service.h"
#include "spawn.h"
#include "talk.h"

#define CONF_MAX 65536
#define WORDS_MAX 1024
#define NUMBERS 5
#define RESULTS 5
#define OUTPUT_MAX 4096

struct result {
	char from[40], to[40];
	int status;
	char *output;
	size_t size;
};

static struct {
	bool asked, on;
	long long interval, timeout, retries, start_period, start_interval;
	enum health_action action;
	char **argv;
	const struct plan *plan;
	const char *status;
	unsigned int streak;
	long long began;	/* the start period counts from here */
	long long due;		/* of the next command */
	pid_t pid;
	long long deadline;	/* of the one that runs */
	bool late;
	bool fell;		/* has become unhealthy, and nobody knows */
	int out;
	struct result results[RESULTS];
	size_t count;
} h;

static void write_json(void)
{
	struct text t = { 0 };

	text_format(&t, "{\"status\":\"%s\",\"failingStreak\":%u,\"log\":[",
		    h.status, h.streak);
	for (size_t i = 0; i < h.count; i++) {
		const struct result *r = &h.results[i];

		text_format(&t, "%s{\"start\":\"%s\",\"end\":\"%s\","
			    "\"exitCode\":%d,\"output\":", i ? "," : "",
			    r->from, r->to, r->status);
		json_string(&t, r->output ? r->output : "", r->size);
		text_format(&t, "}");
	}
	text_format(&t, "]}\n");
	record_file("health.json", t.at, t.used);
	free(t.at);
}

static void become(const char *status)
{
	char word[16];

	if (strcmp(h.status, status) == 0)
		return;
	h.status = status;
	say("health: %s", status);
	snprintf(word, sizeof(word), "%s\n", status);
	record_file("health", word, strlen(word));
}

static bool number(char **at, const char *end, long long *out)
{
	char *stop;

	if (*at >= end)
		return false;
	errno = 0;
	*out = strtoll(*at, &stop, 10);
	if (errno || stop == *at || *stop || *out < 0)
		return false;
	*at = stop + 1;
	return true;
}

/* read_rule() - Return: false where there is none, or none that can be used */
static bool read_rule(void)
{
	static char text[CONF_MAX];
	static char *words[WORDS_MAX + 1];
	char path[RUN_PATH_MAX], *at = text, *end;
	cleanup_fd int fd = open(run_path(path, "health.conf"),
				 O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	long long *numbers[NUMBERS] = { &h.interval, &h.timeout, &h.retries,
					&h.start_period, &h.start_interval };
	size_t count = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text));
	if (n <= 0 || n == sizeof(text) || text[n - 1] != 0)
		goto wrong;
	end = text + n;
	for (size_t i = 0; i < NUMBERS; i++)
		if (!number(&at, end, numbers[i]))
			goto wrong;
	if (at >= end)
		goto wrong;
	h.action = strcmp(at, "kill") == 0 ? HEALTH_KILL :
		strcmp(at, "stop") == 0 ? HEALTH_STOP : HEALTH_NOTHING;
	for (at += strlen(at) + 1; at < end && count < WORDS_MAX;
	     at += strlen(at) + 1)
		words[count++] = at;
	if (count == 0 || at < end || h.interval == 0 || h.timeout == 0)
		goto wrong;
	h.argv = words;
	return true;
wrong:
	complain("%s: no rule for health", path);
	return false;
}

void health_begin(const struct plan *plan)
{
	if (h.asked)
		return;
	h.asked = true;
	if (!read_rule())
		return;
	h.on = true;
	h.plan = plan;
	h.out = -1;
	h.began = now_ms();
	h.due = h.began + (h.start_period > 0 ? h.start_interval : h.interval);
	h.status = "";
	become("starting");
	write_json();
}

/* What it prints goes into memory of the instance, and its beginning is kept. */
static void start(long long now)
{
	struct launch l = { .argv = h.argv, .session = true };
	struct environment env = { 0 };
	struct result *r;
	char problem[4352];

	if (h.count == RESULTS) {
		free(h.results[0].output);
		memmove(h.results, h.results + 1,
			(RESULTS - 1) * sizeof(h.results[0]));
		h.count--;
	}
	r = &h.results[h.count++];
	memset(r, 0, sizeof(*r));
	record_time(r->from, sizeof(r->from));
	h.out = memfd_create("health", MFD_CLOEXEC);
	l.in = open("/dev/null", O_RDWR | O_CLOEXEC);
	l.out = l.err = h.out >= 0 ? h.out : l.in;
	environment_build(&env, h.plan, NULL, NULL);
	l.envp = env.list;
	h.late = false;
	h.deadline = now + h.timeout;
	h.pid = launch(&l, problem, sizeof(problem));
	if (h.pid < 0) {
		/* As a shell would have it. */
		int status = spawn_status(errno, launch_failed_early);

		if (h.out >= 0 && write_all(h.out, problem,
					    strlen(problem)) < 0)
			debug("health: %s", problem);
		h.pid = 0;
		health_reaped(0, status << 8);
	}
	if (l.in >= 0)
		close(l.in);
	environment_free(&env);
}

static void keep_output(struct result *r)
{
	char text[OUTPUT_MAX];
	ssize_t n = h.out < 0 ? 0 : pread(h.out, text, sizeof(text), 0);

	if (h.out >= 0)
		close(h.out);
	h.out = -1;
	r->output = n > 0 ? malloc((size_t)n) : NULL;
	if (!r->output)
		return;
	memcpy(r->output, text, (size_t)n);
	r->size = (size_t)n;
}

bool health_reaped(pid_t pid, int wait_status)
{
	long long now = now_ms();
	bool starting, well;
	struct result *r;

	if (!h.on || h.count == 0 || pid != h.pid)
		return false;
	r = &h.results[h.count - 1];
	h.pid = 0;
	record_time(r->to, sizeof(r->to));
	keep_output(r);
	r->status = h.late ? -1 : WIFSIGNALED(wait_status) ?
		128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
	well = r->status == 0;
	starting = now - h.began < h.start_period &&
		   strcmp(h.status, "starting") == 0;
	if (well) {
		h.streak = 0;
		become("healthy");
	} else if (!starting && ++h.streak >= h.retries &&
		   strcmp(h.status, "unhealthy") != 0) {
		become("unhealthy");
		h.fell = true;
	}
	starting = starting && !well;
	h.due = now + (starting ? h.start_interval : h.interval);
	write_json();
	return true;
}

enum health_action health_step(long long now)
{
	if (!h.on)
		return HEALTH_NOTHING;
	if (h.pid > 0 && now >= h.deadline && !h.late) {
		h.late = true;
		processes_of_session(h.pid, SIGKILL);
	} else if (h.pid == 0 && now >= h.due) {
		start(now);
	}
	if (!h.fell)
		return HEALTH_NOTHING;
	h.fell = false;
	return h.action;
}

long long health_next(void)
{
	if (!h.on)
		return -1;
	if (h.fell)
		return 0;
	return h.pid == 0 ? h.due : h.late ? -1 : h.deadline;
}

void health_end(void)
{
	if (h.on && h.pid > 0)
		processes_of_session(h.pid, SIGKILL);
	h.on = false;
}
