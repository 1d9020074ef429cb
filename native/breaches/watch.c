// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "breaches.h"
#include "die.h"

/* Half of the periods of five seconds, and at least a second's worth of them,
 * have to be cut short; it is over when a tenth or less is. */
#define CPU_WINDOW_MS 5000
#define CPU_PERIODS_LEAST 10
/* A disk is full when less than this part is left; the file system refuses
 * long before its last block, on small ones an eighth before. */
#define DISK_PART 256
#define DISK_LEAST (1 << 20)
#define DISK_SMALL_PART 8
#define TASK_MAX 64

static int kmsg = -1;

/* counter() - the number after @key in a file of "KEY NUMBER" lines of the
 * groups. Return: false where no group has it. */
static bool counter(const struct options *o, const char *file, const char *key,
		    uint64_t *value)
{
	for (size_t i = 0; i < o->group_count; i++) {
		char path[512], text[4096], *at;
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "%s/%s", o->groups[i], file);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read(fd, text + 1, sizeof(text) - 2);
		close(fd);
		if (n <= 0)
			continue;
		text[0] = '\n';
		text[n + 1] = 0;
		at = strstr(text, key);
		if (!at)
			continue;
		*value = strtoull(at + strlen(key), NULL, 10);
		return true;
	}
	return false;
}

/* grown() - by how much a counter is more than it was. */
static uint64_t grown(uint64_t *last, uint64_t now)
{
	uint64_t more = now > *last ? now - *last : 0;

	*last = now;
	return more;
}

/* killed_task() - who the kernel says that it killed for want of memory in the
 * instance's group, since we last asked. Names nobody where its log cannot be
 * read or holds back what comes too fast. */
static void killed_task(const struct options *o, char *detail)
{
	const char *id = o->group_count ? strrchr(o->groups[0], '/') : NULL;
	char record[8192];
	ssize_t n;

	detail[0] = 0;
	while (kmsg >= 0 && id &&
	       ((n = read(kmsg, record, sizeof(record) - 1)) > 0 ||
		errno == EPIPE)) {
		char group[256], task[TASK_MAX] = "";
		const char *at;
		int pid;

		if (n <= 0)
			continue;
		record[n] = 0;
		/* an ordinary user's stands in a group that he was given */
		snprintf(group, sizeof(group), "%s,task_memcg=", id);
		at = strstr(record, ";oom-kill:");
		if (!at || !(at = strstr(at, ",oom_memcg=")) ||
		    !(at = strstr(at, group)) ||
		    !(at = strstr(at, ",task=")) ||
		    sscanf(at, ",task=%63[^,],pid=%d", task, &pid) != 2)
			continue;
		for (char *c = task; *c; c++)
			if (*c < 0x20 || *c >= 0x7f || *c == '"' || *c == '\\')
				*c = '?';
		snprintf(detail, DETAIL_MAX,
			 ",\"pid\":\"%d\",\"task\":\"%s\"", pid, task);
	}
}

static void look_memory(const struct options *o)
{
	static uint64_t last;
	char detail[DETAIL_MAX];
	uint64_t now, more;

	if (!counter(o, "memory.events", "\noom_kill ", &now) &&
	    !counter(o, "memory.oom_control", "\noom_kill ", &now))
		return;
	more = grown(&last, now);
	if (!more)
		return;
	killed_task(o, detail);
	tell(KIND_MEMORY, more, detail);
}

static void look_pids(const struct options *o)
{
	static uint64_t last;
	uint64_t now, more;

	if (!counter(o, "pids.events", "\nmax ", &now))
		return;
	more = grown(&last, now);
	if (more)
		tell(KIND_PIDS, more, "");
}

static void look_cpu(const struct options *o)
{
	static uint64_t periods_last, cut_last;
	static int64_t begun;
	static bool held;
	uint64_t periods, cut;
	char detail[DETAIL_MAX];

	if (begun != 0 && now_ms() - begun < CPU_WINDOW_MS)
		return;
	if (!counter(o, "cpu.stat", "\nnr_periods ", &periods) ||
	    !counter(o, "cpu.stat", "\nnr_throttled ", &cut))
		return;
	periods = grown(&periods_last, periods);
	cut = grown(&cut_last, cut);
	if (begun != 0 && periods >= CPU_PERIODS_LEAST && cut * 2 >= periods &&
	    !held) {
		held = true;
		snprintf(detail, sizeof(detail), ",\"throttled\":\"%u%%\"",
			 (unsigned int)(cut * 100 / periods));
		tell(KIND_CPU, 1, detail);
	} else if (cut * 10 <= periods) {
		held = false;
	}
	begun = now_ms();
}

static void look_disk(const struct options *o)
{
	static bool full;
	struct statvfs st;
	char path[4200];
	uint64_t size, left, least = DISK_LEAST;

	if (!o->disk)
		return;
	/* The mounts of the launch are the runtime's; nobody else shows them. */
	snprintf(path, sizeof(path), "/proc/%d/root%s/upper", o->pid, o->disk);
	if (statvfs(path, &st) < 0)
		return;
	size = (uint64_t)st.f_blocks * st.f_frsize;
	left = (uint64_t)st.f_bavail * st.f_frsize;
	if (least > size / DISK_SMALL_PART)
		least = size / DISK_SMALL_PART;
	if (least < size / DISK_PART)
		least = size / DISK_PART;
	if (!full && left < least) {
		full = true;
		tell(KIND_DISK, 1, "");
	} else if (full && left >= 2 * least) {
		full = false;
	}
}

void watch_begin(const struct options *o)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	drops_begin(o);
}

/* Of v1: the kernel counts up an eventfd when memory has run out. */
static int memory_waker(const char *group)
{
	char path[512], words[32];
	cleanup_fd int file = -1;
	cleanup_fd int control = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/memory.oom_control", group);
	file = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/cgroup.event_control", group);
	control = open(path, O_WRONLY | O_CLOEXEC);
	if (file < 0 || control < 0)
		return -1;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	snprintf(words, sizeof(words), "%d %d", fd, file);
	if (fd >= 0 && write(control, words, strlen(words)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

size_t watch_wakers(const struct options *o, struct pollfd *fds)
{
	static const char *const files[] = { "memory.events", "pids.events" };
	size_t count = 0;

	for (size_t i = 0; i < o->group_count; i++) {
		int fd = memory_waker(o->groups[i]);

		if (fd >= 0 && count < WAKERS_MAX)
			fds[count++] = (struct pollfd){ .fd = fd,
							.events = POLLIN };
		for (size_t j = 0; j < 2 && count < WAKERS_MAX; j++) {
			char path[512];

			snprintf(path, sizeof(path), "%s/%s", o->groups[i],
				 files[j]);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd >= 0)
				fds[count++] = (struct pollfd){
					.fd = fd, .events = POLLPRI,
				};
		}
	}
	return count;
}

/* A file is asked again only when it has been read to its beginning. */
bool watch_woken(struct pollfd *fds, size_t count)
{
	char text[4096];
	bool woken = false;

	for (size_t i = 0; i < count; i++) {
		if (fds[i].fd < 0 || !fds[i].revents)
			continue;
		woken = true;
		if (fds[i].events == POLLPRI)
			lseek(fds[i].fd, 0, SEEK_SET);
		/* Its group has gone: it would wake us for ever. */
		if (read(fds[i].fd, text, sizeof(text)) <= 0 && errno != EAGAIN) {
			close(fds[i].fd);
			fds[i].fd = -1;
		}
	}
	return woken;
}

void watch_look(const struct options *o)
{
	look_memory(o);
	look_pids(o);
	look_cpu(o);
	look_disk(o);
	drops_look(o);
	if (o->files && o->group_count > 0)
		files_look(o->groups[0]);
}
