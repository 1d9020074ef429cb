// SPDX-License-Identifier: Apache-2.0
/* Descriptors: no counter of the kernel says that a process met its limit, so
 * how many it has open is held against what it may have. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "breaches.h"

#define PROCESSES_MAX 512
#define TOLD_MAX 64

static int told[TOLD_MAX];

static bool read_file(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, room - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

/* open_files() - the kernel says it as the size of the directory (6.2). */
static long open_files(int pid)
{
	char path[64];
	struct stat st;
	long count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	if (stat(path, &st) == 0 && st.st_size > 0)
		return (long)st.st_size;
	dir = opendir(path);
	if (!dir)
		return 0;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static long most_files(int pid)
{
	char path[64], text[4096];
	const char *at;
	long soft;

	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	if (!read_file(path, text, sizeof(text)))
		return 0;
	at = strstr(text, "Max open files");
	return at && sscanf(at, "Max open files %ld", &soft) == 1 ? soft : 0;
}

static void look_at(int pid)
{
	char path[64], task[64] = "", detail[DETAIL_MAX];
	long most = most_files(pid);

	if (most <= 0 || open_files(pid) < most || told[pid % TOLD_MAX] == pid)
		return;
	told[pid % TOLD_MAX] = pid;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	read_file(path, task, sizeof(task));
	task[strcspn(task, "\n")] = 0;
	for (char *c = task; *c; c++)
		if (*c < 0x20 || *c >= 0x7f || *c == '"' || *c == '\\')
			*c = '?';
	snprintf(detail, sizeof(detail),
		 ",\"pid\":\"%d\",\"task\":\"%s\"", pid, task);
	tell(KIND_FILES, 1, detail);
}

void files_look(const char *group)
{
	char path[512], text[16384], *save = NULL;
	int count = 0;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	if (!read_file(path, text, sizeof(text)))
		return;
	for (char *word = strtok_r(text, "\n", &save);
	     word && count < PROCESSES_MAX;
	     word = strtok_r(NULL, "\n", &save), count++)
		look_at(atoi(word));
}
