// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "log-file.h"
#include "record.h"
#include "talk.h"

#define LOG_FILE "log/all.log"

static struct {
	int fd;			/* -1: no log file */
	bool failed;		/* it was there, and cannot be made anew */
	off_t size;
	unsigned long long max_size;
	unsigned int max_files;
	unsigned long lost;
	struct text batch;
} file = { .fd = -1 };

static unsigned long long number_of(const char *name,
				    unsigned long long otherwise)
{
	const char *text = getenv(name);
	char *end;
	unsigned long long v;

	if (!text || *text < '0' || *text > '9')
		return otherwise;
	errno = 0;
	v = strtoull(text, &end, 10);
	return errno || *end ? otherwise : v;
}

static bool open_file(int flags)
{
	char path[RUN_PATH_MAX];
	struct stat st;

	run_path(path, LOG_FILE);
	file.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
		       O_NOFOLLOW | flags, 0640);
	if (file.fd < 0)
		return false;
	file.size = fstat(file.fd, &st) == 0 ? st.st_size : 0;
	return true;
}

bool log_file_open(const struct plan *plan)
{
	unsigned long long files;

	if (!open_file(0))
		return false;
	files = number_of("TRANSHIP_LOG_MAX_FILE", plan->log_max_files ?
			  plan->log_max_files : 3);
	file.max_files = files < 1 ? 1 : files > 1000 ? 1000 :
		(unsigned int)files;
	file.max_size = number_of("TRANSHIP_LOG_MAX_SIZE", plan->log_max_size ?
				  plan->log_max_size : 10U << 20);
	return true;
}

bool log_file_is_open(void)
{
	return file.fd >= 0;
}

bool log_file_wanted(void)
{
	return file.fd >= 0 || file.failed;
}

static void rotate(void)
{
	char from[RUN_PATH_MAX], to[RUN_PATH_MAX], name[32];
	unsigned int i;

	close(file.fd);
	for (i = file.max_files - 1; i > 0; i--) {
		snprintf(name, sizeof(name), LOG_FILE ".%u", i);
		run_path(to, name);
		if (i > 1)
			snprintf(name, sizeof(name), LOG_FILE ".%u", i - 1);
		run_path(from, i > 1 ? name : LOG_FILE);
		(void)rename(from, to);	/* there may be none yet */
	}
	/* With one file only, it starts anew. */
	if (!open_file(O_TRUNC))
		file.failed = true;
}

static unsigned long count_lines(const char *p, size_t n)
{
	unsigned long lines = 0;
	size_t i;

	for (i = 0; i < n; i++)
		lines += p[i] == '\n';
	return lines;
}

/* Whole lines only: half a one would spoil the next. Return: lines lost */
static unsigned long append(const char *p, size_t size)
{
	size_t done = 0, kept;

	while (done < size) {
		ssize_t n = write(file.fd, p + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	for (kept = done; kept > 0 && p[kept - 1] != '\n'; kept--)
		;
	if (kept < done && ftruncate(file.fd, file.size + (off_t)kept) < 0)
		debug("cannot cut the log: %s", strerror(errno));
	file.size += (off_t)kept;
	return count_lines(p + kept, size - kept);
}

static void put_line(struct text *t, const char *service, int stream,
		     const char *line, size_t n)
{
	bool whole = n > 0 && line[n - 1] == '\n';
	char stamp[40];

	record_time(stamp, sizeof(stamp));
	text_add(t, "{\"log\":", 7);
	json_string(t, line, n);
	text_format(t, ",\"stream\":\"%s\",\"time\":\"%s\",\"service\":",
		    stream == 2 ? "stderr" : "stdout", stamp);
	json_text(t, service);
	if (!whole)
		text_format(t, ",\"partial\":true");
	text_add(t, "}\n", 2);
}

/* Says how many lines were lost, as soon as there is room for saying so. */
static void own_up(void)
{
	static struct text note;
	char line[64];

	note.used = 0;
	snprintf(line, sizeof(line), "%lu lines of the log were lost\n",
		 file.lost);
	put_line(&note, "init", 2, line, strlen(line));
	if (append(note.at, note.used) == 0)
		file.lost = 0;
}

/* Writes the first @size bytes of the batch. */
static void flush_part(size_t size)
{
	if (size == 0)
		return;
	if (file.fd >= 0 && file.size > 0 && file.max_size > 0 &&
	    (unsigned long long)file.size + size > file.max_size)
		rotate();
	if (file.fd < 0 && file.failed)
		file.failed = !open_file(0);
	if (file.fd >= 0 && file.lost > 0)
		own_up();
	if (file.fd < 0 || file.lost > 0)
		file.lost += count_lines(file.batch.at, size);
	else
		file.lost += append(file.batch.at, size);
	file.batch.used -= size;
	memmove(file.batch.at, file.batch.at + size, file.batch.used);
}

void log_file_flush(void)
{
	flush_part(file.batch.used);
}

void log_file_add(const char *service, int stream, const char *line, size_t n)
{
	size_t before = file.batch.used;

	put_line(&file.batch, service, stream, line, n);
	/* No file grows beyond its size for the sake of a larger batch. */
	if (file.max_size > 0 && (unsigned long long)file.size +
	    file.batch.used > file.max_size)
		flush_part(before);
}
