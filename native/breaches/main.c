// SPDX-License-Identifier: Apache-2.0
/*
 * breaches --events FILE --log FILE --breach HEAD --oom HEAD [--group DIR]...
 *          [--disk DIR] [--device NAME] [--sends] [--files]
 *          [--health FILE --healthy EVENT --unhealthy EVENT] --pid PID
 *
 * Watches the limits of one instance and tells when it comes up against one.
 *
 * Theory. The kernel holds the limits; we only read its counters. Those of
 * processes and memory wake us (poll on the files of cgroup v2 and on
 * pids.events, an eventfd for memory in v1); all are read twice a second
 * besides. What is told is written down at once and then at most every
 * TELL_AGAIN seconds with the sum of what came since, so that an instance that
 * does nothing but fail cannot fill a disk. enter starts us in the namespaces of
 * the host; we end when the groups have gone and PID, the OCI runtime, has too.
 * When we die nothing happens but that nobody tells.
 *
 * HEAD is an event as JSON up to its last attribute; we add to the attributes
 * and close it. FILE of --events may be rotated: it is opened for each line.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "breaches.h"
#include "die.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define PAUSE_MS 500
/* Woken before the kernel has counted, and its group may go at once. */
#define EAGER_MS 4
#define EAGER_ROUNDS 50
#define STARTING_MS 20
/* How long a group may be in the making. */
#define STARTING_ROUNDS 500

static struct options o;
static struct kind kinds[KINDS] = {
	[KIND_PIDS] = { .name = "pids" },
	[KIND_MEMORY] = { .name = "memory", .is_oom = true },
	[KIND_CPU] = { .name = "cpu" },
	[KIND_DISK] = { .name = "disk" },
	[KIND_INGRESS] = { .name = "ingress" },
	[KIND_EGRESS] = { .name = "egress" },
	[KIND_FILES] = { .name = "files" },
};

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void put_time(char *out, size_t size)
{
	struct timespec now;
	struct tm tm;
	char seconds[24];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

/* append() - in one write, so that lines of several writers do not mix */
static void append(const char *file, const char *line)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
		      O_NOFOLLOW, 0600);
	struct stat st;

	/* A full disk: what it tells of has happened all the same. */
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    write(fd, line, strlen(line)) < 0)
		errno = 0;
	if (fd >= 0)
		close(fd);
}

static void write_down(struct kind *k)
{
	const char *head = k->is_oom ? o.oom : o.breach;
	size_t size = strlen(head) + sizeof(k->detail) + 256;
	char *line = malloc(size);
	char now[40];

	if (!line)
		return;
	put_time(now, sizeof(now));
	snprintf(line, size,
		 "%s,\"limit\":\"%s\",\"count\":\"%llu\"%s},\"time\":\"%s\"}\n",
		 head, k->name, (unsigned long long)k->waiting, k->detail, now);
	append(o.events, line);
	snprintf(line, size,
		 "{\"time\":\"%s\",\"limit\":\"%s\",\"count\":%llu%s}\n", now,
		 k->name, (unsigned long long)k->waiting, k->detail);
	append(o.log, line);
	free(line);
	k->waiting = 0;
	k->detail[0] = 0;
	k->told = now_ms();
}

void tell_event(const struct options *from, const char *head)
{
	size_t size = strlen(head) + 64;
	char *line = malloc(size);
	char now[40];

	if (!line)
		return;
	put_time(now, sizeof(now));
	snprintf(line, size, "%s,\"time\":\"%s\"}\n", head, now);
	append(from->events, line);
	free(line);
}

/* settle() - tells what may be told again; @last: all of it. */
static void settle(bool last)
{
	for (size_t i = 0; i < KINDS; i++) {
		struct kind *k = &kinds[i];
		bool due = k->told == 0 ||
			   now_ms() - k->told >= TELL_AGAIN * 1000;

		if (k->waiting > 0 && (due || last))
			write_down(k);
	}
}

void tell(enum kind_of kind, uint64_t count, const char *detail)
{
	kinds[kind].waiting += count;
	snprintf(kinds[kind].detail, sizeof(kinds[kind].detail), "%s", detail);
}

/* groups_there() - how many of the groups are there. */
static size_t groups_there(void)
{
	size_t count = 0;

	for (size_t i = 0; i < o.group_count; i++)
		count += access(o.groups[i], F_OK) == 0;
	return count;
}

/* anybody_there() - a group has processes still. The runtime may have died and
 * left the groups. */
static bool anybody_there(void)
{
	for (size_t i = 0; i < o.group_count; i++) {
		char path[512], byte;
		bool some;
		int fd;

		snprintf(path, sizeof(path), "%s/cgroup.procs", o.groups[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		some = read(fd, &byte, 1) == 1;
		close(fd);
		if (some)
			return true;
	}
	return false;
}

static void add_group(const char *dir)
{
	if (o.group_count == GROUPS_MAX)
		die("more than %d groups", GROUPS_MAX);
	o.groups[o.group_count++] = dir;
}

static void read_options(char **args)
{
	for (; *args; args++) {
		const char *name = *args;

		if (strcmp(name, "--sends") == 0) {
			o.sends = true;
			continue;
		}
		if (strcmp(name, "--files") == 0) {
			o.files = true;
			continue;
		}
		if (!args[1])
			die("%s needs a value", name);
		args++;
		if (strcmp(name, "--events") == 0)
			o.events = *args;
		else if (strcmp(name, "--log") == 0)
			o.log = *args;
		else if (strcmp(name, "--breach") == 0)
			o.breach = *args;
		else if (strcmp(name, "--oom") == 0)
			o.oom = *args;
		else if (strcmp(name, "--group") == 0)
			add_group(*args);
		else if (strcmp(name, "--disk") == 0)
			o.disk = *args;
		else if (strcmp(name, "--device") == 0)
			o.device = *args;
		else if (strcmp(name, "--health") == 0)
			o.health = *args;
		else if (strcmp(name, "--healthy") == 0)
			o.healthy = *args;
		else if (strcmp(name, "--unhealthy") == 0)
			o.unhealthy = *args;
		else if (strcmp(name, "--pid") == 0)
			o.pid = atoi(*args);
		else
			die("unknown option: %s", name);
	}
	if (o.health && (!o.healthy || !o.unhealthy))
		die("--health needs --healthy and --unhealthy");
	if (!o.events || !o.log || !o.breach || !o.oom || o.pid <= 0)
		die("expected: --events, --log, --breach, --oom and --pid");
}

/* wait_for_start() - until the OCI runtime has made all groups. Return: false
 * where it ended before it had. */
static bool wait_for_start(const struct pollfd *runtime)
{
	for (int i = 0; i < STARTING_ROUNDS; i++) {
		struct pollfd p = *runtime;

		if (groups_there() == o.group_count)
			return true;
		if (poll(&p, 1, STARTING_MS) > 0)
			return groups_there() > 0;
	}
	return groups_there() > 0;
}

int main(int argc, char **argv)
{
	struct pollfd fds[1 + WAKERS_MAX];
	size_t count;
	int eager = 0;

	program_name = "breaches";
	read_options(argv + (argc > 0));
	fds[0] = (struct pollfd){
		.fd = (int)syscall(SYS_pidfd_open, o.pid, 0), .events = POLLIN,
	};
	if (fds[0].fd < 0)
		die_errno("no process %d", o.pid);
	watch_begin(&o);
	if (!wait_for_start(&fds[0]))
		return 0;
	count = 1 + watch_wakers(&o, fds + 1);
	for (;;) {
		watch_look(&o);
		health_look(&o);
		settle(false);
		/* A group of v1 and the runtime go at about the same time. */
		if (fds[0].fd < 0 && !anybody_there())
			break;
		if (poll(fds, (nfds_t)count, eager > 0 ? EAGER_MS : PAUSE_MS) < 0)
			continue;
		eager -= eager > 0;
		if (watch_woken(fds + 1, count - 1))
			eager = EAGER_ROUNDS;
		if (fds[0].revents) {
			watch_look(&o);
			close(fds[0].fd);
			fds[0].fd = -1;
		}
	}
	settle(true);
	return 0;
}
