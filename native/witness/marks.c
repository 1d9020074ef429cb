// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include "die.h"
#include "marks.h"
#include "record.h"

#define LIST_MAX (64U << 20)

/*
 * Kernel file systems: what they show lives only while the system runs, and
 * a mark there would cost each reader of /proc.
 */
static const char *const left_out[] = {
	"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs",
	"debugfs", "devpts", "efivarfs", "fusectl", "mqueue", "nsfs", "proc",
	"pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
};

static int list_fd = -1, fanotify_fd;
static uint64_t wanted;
static int *known;		/* ids, ascending */
static size_t known_count;
static bool first = true;

int marks_open(int proc, int fanotify, uint64_t mask)
{
	fanotify_fd = fanotify;
	wanted = mask;
	list_fd = openat(proc, "thread-self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (list_fd < 0)
		list_fd = openat(proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (list_fd < 0)
		die_errno("cannot read the list of mounts");
	return list_fd;
}

/* read_list() - all of mountinfo, or NULL. */
static char *read_list(void)
{
	size_t size = 64 << 10, n = 0;
	char *buf = malloc(size);
	ssize_t got = 1;

	if (!buf)
		return NULL;
	if (lseek(list_fd, 0, SEEK_SET) < 0)
		got = -1;
	while (got > 0) {
		if (n + 1 == size) {
			char *bigger = size < LIST_MAX ? realloc(buf, size * 2)
						       : NULL;

			if (!bigger)
				break;
			buf = bigger;
			size *= 2;
		}
		got = read(list_fd, buf + n, size - 1 - n);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			n += (size_t)got;
	}
	if (got != 0) {
		free(buf);
		return NULL;
	}
	buf[n] = '\0';
	return buf;
}

/* "\040" and the like, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at;) {
		if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' &&
		    at[2] >= '0' && at[2] <= '7' && at[3] >= '0' &&
		    at[3] <= '7') {
			*to++ = (char)((at[1] - '0') << 6 |
				       (at[2] - '0') << 3 | (at[3] - '0'));
			at += 4;
		} else {
			*to++ = *at++;
		}
	}
	*to = '\0';
}

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static bool is_known(int id)
{
	return known_count > 0 && bsearch(&id, known, known_count,
					  sizeof(*known), compare);
}

static bool is_left_out(const char *type)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (strcmp(left_out[i], type) == 0)
			return true;
	return false;
}

/* An id may be that of another mount by now: each is marked each time, and
 * told when it is new. */
static uint32_t mark(int id, const char *target, const char *type)
{
	uint8_t flags = first ? 0 : MOUNT_LATER;
	int error = 0;

	if (is_left_out(type)) {
		flags |= MOUNT_UNMARKED;
	} else if (fanotify_mark(fanotify_fd, FAN_MARK_ADD | FAN_MARK_MOUNT,
				 wanted, AT_FDCWD, target) < 0) {
		error = errno;
		flags |= MOUNT_UNMARKED;
	}
	if (!is_known(id))
		record_mount(flags, error, target, type);
	return error == 0 && !(flags & MOUNT_UNMARKED);
}

/* "ID PARENT MAJ:MIN ROOT TARGET OPTIONS [TAG...] - TYPE SOURCE OPTIONS" */
static bool parse(char *line, int *id, char **target, char **type)
{
	char *rest = NULL, *field = strtok_r(line, " ", &rest);

	if (!field)
		return false;
	*id = atoi(field);
	for (int i = 1; i <= 4 && field; i++)
		field = strtok_r(NULL, " ", &rest);
	*target = field;
	while (field && strcmp(field, "-") != 0)
		field = strtok_r(NULL, " ", &rest);
	*type = field ? strtok_r(NULL, " ", &rest) : NULL;
	if (!*target || !*type)
		return false;
	unescape(*target);
	return true;
}

uint32_t marks_update(void)
{
	cleanup_free char *list = read_list();
	char *rest = NULL, *target, *type;
	uint32_t marked = 0;
	size_t lines = 1, n = 0;
	int *ids;

	for (const char *at = list; at && *at; at++)
		lines += *at == '\n';
	ids = list ? malloc(lines * sizeof(*ids)) : NULL;
	if (!ids) {
		record_lost(LOST_MOUNTS, "the list of mounts is not readable");
		return 0;
	}
	for (char *line = strtok_r(list, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (!parse(line, &ids[n], &target, &type))
			continue;
		marked += mark(ids[n], target, type);
		n++;
	}
	qsort(ids, n, sizeof(*ids), compare);
	free(known);
	known = ids;
	known_count = n;
	first = false;
	return marked;
}
