// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "json.h"
#include "record.h"
#include "service.h"
#include "talk.h"

static struct timespec started;
static bool absent;
static char directory[RUN_PATH_MAX] = RUN_DIRECTORY;

static void format_time(const struct timespec *t, char *out, size_t size)
{
	struct tm tm;
	char seconds[24];

	gmtime_r(&t->tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, size, "%s.%09ldZ", seconds, t->tv_nsec);
}

void record_time(char *out, size_t size)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	format_time(&t, out, size);
}

bool run_directory(const char *name)
{
	/* Room for the longest name: log/all.log.1000 */
	if (name[0] != '/' || strlen(name) + 32 > sizeof(directory))
		return false;
	memcpy(directory, name, strlen(name) + 1);
	return true;
}

const char *run_path(char *out, const char *name)
{
	char *end = stpcpy(out, directory);

	*end++ = '/';
	snprintf(end, RUN_PATH_MAX - (size_t)(end - out), "%s", name);
	return out;
}

void record_start(void)
{
	char path[RUN_PATH_MAX];

	clock_gettime(CLOCK_REALTIME, &started);
	/* Those of an earlier run would be taken for this one's. */
	unlink(run_path(path, "state.json"));
	unlink(run_path(path, "exit.json"));
	unlink(run_path(path, "health.json"));
	unlink(run_path(path, "health"));
}

static void replace(const char *name, const struct text *t, bool sync)
{
	char path[RUN_PATH_MAX], draft[RUN_PATH_MAX], hidden[32];
	bool done;
	int fd;

	if (absent)
		return;
	snprintf(hidden, sizeof(hidden), ".%s.new", name);
	run_path(path, name);
	run_path(draft, hidden);
	fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
		  O_NOFOLLOW, 0644);
	if (fd < 0) {
		absent = errno == ENOENT || errno == EROFS || errno == EACCES;
		if (errno != ENOENT)
			debug("cannot write %s: %s", path, strerror(errno));
		return;
	}
	done = write_all(fd, t->at, t->used) == 0 && (!sync || !fsync(fd));
	close(fd);
	if (!done || rename(draft, path) < 0) {
		complain("cannot write %s: %s", path, strerror(errno));
		unlink(draft);
	}
}

void record_file(const char *name, const char *content, size_t size)
{
	struct text t = { 0 };

	text_add(&t, content, size);
	replace(name, &t, false);
	free(t.at);
}

static void put_signal(struct text *t, int signal)
{
	if (signal)
		text_format(t, "\"signal\":%d", signal);
	else
		text_format(t, "\"signal\":null");
}

void record_state(const struct service *services, size_t count, bool ready)
{
	static struct text t;
	size_t i;

	if (absent)
		return;
	t.used = 0;
	text_format(&t, "{\"ready\":%s,\"services\":[",
		    ready ? "true" : "false");
	for (i = 0; i < count; i++) {
		const struct service *s = &services[i];

		text_format(&t, "%s{\"name\":", i ? "," : "");
		json_text(&t, s->is->name);
		text_format(&t, ",\"state\":\"%s\",\"pid\":",
			    state_names[s->state]);
		text_format(&t, s->pid ? "%d" : "null", s->pid);
		text_format(&t, ",\"restarts\":%u,\"ready\":%s}", s->restarts,
			    s->ready ? "true" : "false");
	}
	text_format(&t, "]}\n");
	replace("state.json", &t, false);
}

static void put_services(struct text *t, const struct service *services,
			 size_t count)
{
	size_t i;

	text_format(t, "\"services\":[");
	for (i = 0; i < count; i++) {
		const struct service *s = &services[i];

		text_format(t, "%s{\"name\":", i ? "," : "");
		json_text(t, s->is->name);
		text_format(t, ",\"status\":%d,", s->status);
		put_signal(t, s->signal);
		text_format(t, ",\"restarts\":%u}", s->restarts);
	}
	text_add(t, "]", 1);
}

bool record_ready(void)
{
	static const char begins[] = "{\"ready\":true";
	char path[RUN_PATH_MAX], found[sizeof(begins) - 1];
	struct statvfs fs;
	bool ready;
	int fd;

	if (statvfs(directory, &fs) < 0 || fs.f_flag & ST_RDONLY)
		return true;
	fd = open(run_path(path, "state.json"), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ready = read(fd, found, sizeof(found)) == (ssize_t)sizeof(found) &&
		memcmp(found, begins, sizeof(found)) == 0;
	close(fd);
	return ready;
}

void record_exit(int status, int signal, const char *reason,
		 const struct service *services, size_t count)
{
	const char *sync = getenv("TRANSHIP_RECORD_SYNC");
	struct rusage self, children;
	struct text t = { 0 };
	char from[40], to[40];
	double cpu;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	cpu = (double)(self.ru_utime.tv_sec + self.ru_stime.tv_sec +
		       children.ru_utime.tv_sec + children.ru_stime.tv_sec) +
		(double)(self.ru_utime.tv_usec + self.ru_stime.tv_usec +
			 children.ru_utime.tv_usec +
			 children.ru_stime.tv_usec) / 1e6;
	format_time(&started, from, sizeof(from));
	record_time(to, sizeof(to));
	text_format(&t, "{\"status\":%d,", status);
	put_signal(&t, signal);
	text_format(&t, ",\"reason\":");
	json_text(&t, reason);
	text_format(&t, ",\"startedAt\":\"%s\",\"finishedAt\":\"%s\",", from,
		    to);
	put_services(&t, services, count);
	text_format(&t, ",\"cpuSeconds\":%.6f,\"maxRssKiB\":%ld}\n", cpu,
		    children.ru_maxrss);
	replace("exit.json", &t, !sync || strcmp(sync, "0") != 0);
	free(t.at);
}
