// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation. The group is of the notification class: the kernel
 * queues an event and goes on, the watched never wait for us. Each event
 * brings a descriptor of the file that was opened; its name is what
 * /proc/self/fd says, that is the name it has when we ask: a file renamed
 * meanwhile has its new name, one removed ends in " (deleted)". Only regular
 * files and directories make events; devices, pipes and sockets never do, so
 * that opening them for us has no effect on anybody.
 *
 * An event that is lost must be told. The kernel says so by an overflow
 * event, and by FAN_REPORT_FD_ERROR (6.13) for a file that it could not open.
 * Older kernels drop such an event in silence where it is not the first of a
 * read(), so there each read() takes one.
 *
 * A server under load opens what is known by now, a hundred thousand times a
 * second. While nothing new comes, each file that was told gets a mark that
 * makes the kernel ignore its being opened; all of these marks are taken away
 * a second later. So events cost next to nothing; who else opens a known file
 * while it is opened without end, may not be told.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "die.h"
#include "record.h"
#include "watch.h"
#include "who.h"

#ifndef FAN_REPORT_FD_ERROR
#define FAN_REPORT_FD_ERROR 0x2000
#endif

#define BATCH 64		/* descriptors open at a time */
#define PATH_TEXT 4200
#define SILENCED_MAX 65536

#ifndef FAN_MARK_EVICTABLE
#define FAN_MARK_EVICTABLE 0x200
#endif

static const char deleted[] = " (deleted)";
#define DELETED_N (sizeof(deleted) - 1)

static bool one_by_one;
static pid_t ourselves;
static unsigned silenced;

int watch_open(bool limited)
{
	unsigned flags = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK |
			 FAN_UNLIMITED_MARKS;
	unsigned files = O_RDONLY | O_LARGEFILE | O_CLOEXEC | O_NOATIME |
			 O_NONBLOCK;
	int fd;

	ourselves = getpid();
	if (!limited)
		flags |= FAN_UNLIMITED_QUEUE;
	fd = fanotify_init(flags | FAN_REPORT_FD_ERROR, files);
	if (fd < 0 && errno == EINVAL) {
		one_by_one = true;
		fd = fanotify_init(flags, files);
	}
	return fd;
}

static void lost_event(int error)
{
	char text[160];

	snprintf(text, sizeof(text), "a file that was used: %s",
		 strerror(error));
	record_lost(LOST_EVENT, text);
}

/* A name may end like that by itself: then it leads to the same file. */
static bool is_deleted(int fd, const char *path, size_t n)
{
	struct stat named, own;

	if (n <= DELETED_N || strcmp(path + n - DELETED_N, deleted) != 0)
		return false;
	return lstat(path, &named) < 0 || fstat(fd, &own) < 0 ||
	       named.st_ino != own.st_ino || named.st_dev != own.st_dev;
}

/* below() - @path as seen from @root, or NULL where it is not below. */
static const char *below(const char *path, const char *root)
{
	size_t n = root ? strlen(root) : 0;

	while (n > 0 && root[n - 1] == '/')
		n--;
	if (n == 0)
		return path;
	if (strncmp(path, root, n) != 0 || (path[n] != '/' && path[n] != '\0'))
		return NULL;
	return path[n] ? path + n : "/";
}

static bool name_of(const struct watch *w, int fd, char *path, size_t size,
		    struct seen_record *r)
{
	char link[16];
	ssize_t n;

	snprintf(link, sizeof(link), "%d", fd);
	n = readlinkat(w->fds, link, path, size - 1);
	if (n < 0 || path[0] != '/') {
		lost_event(n < 0 ? errno : ENOENT);
		return false;
	}
	path[n] = '\0';
	if (is_deleted(fd, path, (size_t)n)) {
		n -= (ssize_t)DELETED_N;
		path[n] = '\0';
		r->flags |= SEEN_DELETED;
	}
	r->path = below(path, w->root);
	if (!r->path) {
		statistics.elsewhere++;
		return false;
	}
	r->path_n = strlen(r->path);
	return true;
}

/* It may fail: then the file goes on being told. */
static void silence(const struct watch *w, int fd)
{
	static unsigned evictable = FAN_MARK_EVICTABLE;
	unsigned flags = FAN_MARK_ADD | FAN_MARK_IGNORED_MASK |
			 FAN_MARK_IGNORED_SURV_MODIFY;

	if (silenced == SILENCED_MAX)
		return;
	if (fanotify_mark(w->fanotify, flags | evictable, FAN_OPEN, fd,
			  NULL) < 0)
		evictable = 0;
	silenced++;
}

void watch_listen_again(const struct watch *w)
{
	if (silenced > 0)
		fanotify_mark(w->fanotify, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL);
	silenced = 0;
}

bool watch_silenced(void)
{
	return silenced > 0;
}

/* tell() - whether all of it was said before. */
static bool tell(const struct fanotify_event_metadata *m,
		 struct seen_record *r)
{
	static const struct { uint64_t bit; uint8_t what; } kinds[] = {
		{ FAN_OPEN_EXEC, SEEN_EXEC },
		{ FAN_OPEN, SEEN_OPEN },
		{ FAN_CLOSE_WRITE, SEEN_WRITTEN },
	};

	bool known = true;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		/* Opening to execute is both to the kernel. */
		if (!(m->mask & kinds[i].bit) ||
		    (kinds[i].what == SEEN_OPEN && (m->mask & FAN_OPEN_EXEC)))
			continue;
		r->what = kinds[i].what;
		if (record_seen(m->pid, r))
			known = false;
	}
	return known;
}

static void event(const struct watch *w,
		  const struct fanotify_event_metadata *m)
{
	static char path[PATH_TEXT];
	struct seen_record r = { 0 };
	struct who who;

	if (m->mask & FAN_Q_OVERFLOW) {
		record_lost(LOST_OVERFLOW, "the kernel's queue was full");
		return;
	}
	if (m->fd < 0) {
		lost_event(-m->fd);
		return;
	}
	statistics.events++;
	if (m->mask & FAN_OPEN_EXEC)
		who_exec(m->pid);
	who = who_is(m->pid);
	if (m->mask & FAN_OPEN_EXEC)
		who_exec(m->pid);
	if (who.membership == WHO_OUTSIDE && !w->outside) {
		statistics.outside++;
		return;
	}
	r.flags = (uint8_t)((m->mask & FAN_ONDIR ? SEEN_DIRECTORY : 0) |
			    (who.membership == WHO_OUTSIDE ? SEEN_OUTSIDE : 0) |
			    (who.membership == WHO_GONE ? SEEN_GONE : 0));
	r.program = who.program;
	r.program_n = who.program_n;
	if (name_of(w, m->fd, path, sizeof(path), &r) && tell(m, &r) &&
	    w->busy && m->mask == FAN_OPEN && r.flags == 0)
		silence(w, m->fd);
}

/* Descriptors are given out in a row: most often one call closes all. */
static void close_all(const struct fanotify_event_metadata *m, size_t count)
{
	int low = INT_MAX, high = -1;
	size_t open = 0;

	for (size_t i = 0; i < count; i++) {
		if (m[i].fd < 0)
			continue;
		open++;
		low = m[i].fd < low ? m[i].fd : low;
		high = m[i].fd > high ? m[i].fd : high;
	}
	if (open > 1 && (size_t)(high - low) + 1 == open &&
	    syscall(SYS_close_range, low, high, 0) == 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (m[i].fd >= 0)
			close(m[i].fd);
}

static void batch(const struct watch *w,
		  const struct fanotify_event_metadata *m, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (m[i].vers != FANOTIFY_METADATA_VERSION ||
		    m[i].event_len != sizeof(*m))
			die("this kernel's events have version %d", m[i].vers);
		if (m[i].pid != ourselves || (m[i].mask & FAN_Q_OVERFLOW))
			event(w, &m[i]);
	}
	close_all(m, count);
}

bool watch_drain(const struct watch *w, unsigned most)
{
	static struct fanotify_event_metadata buf[BATCH];
	size_t size = one_by_one ? sizeof(buf[0]) : sizeof(buf);

	for (unsigned done = 0; done < most; done += one_by_one ? 1 : BATCH) {
		ssize_t n = read(w->fanotify, buf, size);

		if (n > 0) {
			batch(w, buf, (size_t)n / sizeof(buf[0]));
		} else if (n == 0 || errno == EAGAIN) {
			return true;
		} else if (errno != EINTR) {
			/* The event has gone with this read. */
			if (errno == EBADF || errno == EFAULT ||
			    errno == EINVAL)
				die_errno("cannot read events");
			lost_event(errno);
		}
	}
	return false;
}
