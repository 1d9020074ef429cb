// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "die.h"
#include "json.h"
#include "logs.h"
#include "record.h"
#include "talk.h"

#define LOG_FILE "log/all.log"
#define LINE_MAX_BYTES 16384
#define QUEUE_MAX (256U * 1024)
#define ROUNDS 16		/* reads of one source before others have a turn */

struct log_source {
	struct log_source *next;
	int fd;			/* -1: ended */
	int stream;
	size_t used;
	log_listener *listener;
	void *data;
	char service[64];
	char line[LINE_MAX_BYTES + 1];
};

struct queue {
	int fd;
	bool socket;
	bool gone;		/* nobody reads any more */
	size_t used;
	unsigned long dropped;
	char *bytes;
};

static struct {
	int fd;			/* -1: no log file */
	bool failed;		/* the log was lost for good */
	off_t size;
	unsigned long long max_size;
	unsigned int max_files;
	unsigned long lost;
	enum forward forward;
	struct queue queues[2];
	struct log_source *sources;
	struct text batch;
} logs = { .fd = -1 };

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

static void open_queue(struct queue *q, int fd)
{
	char path[32];
	struct stat st;

	q->fd = fd;
	if (fstat(fd, &st) < 0) {
		q->gone = true;
		return;
	}
	q->socket = S_ISSOCK(st.st_mode);
	/* A description of our own, so that O_NONBLOCK is nobody else's. A
	 * regular file never blocks and would lose its offset. */
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		q->fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC |
			     O_NOCTTY);
		if (q->fd < 0)
			q->fd = fd;
	}
}

static void open_forward(bool single)
{
	const char *wish = getenv("TRANSHIP_LOG_FORWARD");

	if (logs.fd < 0)
		logs.forward = FORWARD_WAIT;
	else if (!wish || !*wish || strcmp(wish, "0") == 0)
		logs.forward = FORWARD_NO;
	else if (strcmp(wish, "wait") == 0)
		logs.forward = FORWARD_WAIT;
	else if (strcmp(wish, "drop") == 0)
		logs.forward = FORWARD_DROP;
	else
		logs.forward = single ? FORWARD_WAIT : FORWARD_DROP;
	if (logs.forward != FORWARD_NO) {
		open_queue(&logs.queues[0], STDOUT_FILENO);
		open_queue(&logs.queues[1], STDERR_FILENO);
	}
}

static bool open_file(int flags)
{
	char path[RUN_PATH_MAX];
	struct stat st;

	run_path(path, LOG_FILE);
	logs.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
		       O_NOFOLLOW | flags, 0640);
	if (logs.fd < 0)
		return false;
	logs.size = fstat(logs.fd, &st) == 0 ? st.st_size : 0;
	return true;
}

bool logs_open(const struct plan *plan, bool single)
{
	unsigned long long files;

	if (!open_file(0)) {
		open_forward(single);
		return false;
	}
	files = number_of("TRANSHIP_LOG_MAX_FILE", plan->log_max_files ?
			  plan->log_max_files : 3);
	logs.max_files = files < 1 ? 1 : files > 1000 ? 1000 :
		(unsigned int)files;
	logs.max_size = number_of("TRANSHIP_LOG_MAX_SIZE", plan->log_max_size ?
				  plan->log_max_size : 10U << 20);
	open_forward(single);
	return true;
}

bool logs_to_file(void)
{
	return logs.fd >= 0;
}

bool logs_forwarded(void)
{
	return logs.forward != FORWARD_NO;
}

static void rotate(void)
{
	char from[RUN_PATH_MAX], to[RUN_PATH_MAX], name[32];
	unsigned int i;

	close(logs.fd);
	for (i = logs.max_files - 1; i > 0; i--) {
		snprintf(name, sizeof(name), LOG_FILE ".%u", i);
		run_path(to, name);
		if (i > 1)
			snprintf(name, sizeof(name), LOG_FILE ".%u", i - 1);
		run_path(from, i > 1 ? name : LOG_FILE);
		rename(from, to);
	}
	/* With one file only, it starts anew. */
	if (!open_file(O_TRUNC))
		logs.failed = true;
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
		ssize_t n = write(logs.fd, p + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	for (kept = done; kept > 0 && p[kept - 1] != '\n'; kept--)
		;
	if (kept < done && ftruncate(logs.fd, logs.size + (off_t)kept) < 0)
		debug("cannot cut the log: %s", strerror(errno));
	logs.size += (off_t)kept;
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
		 logs.lost);
	put_line(&note, "init", 2, line, strlen(line));
	if (append(note.at, note.used) == 0)
		logs.lost = 0;
}

/* Writes the first @size bytes of the batch. */
static void flush_part(size_t size)
{
	if (size == 0)
		return;
	if (logs.fd >= 0 && logs.size > 0 && logs.max_size > 0 &&
	    (unsigned long long)logs.size + size > logs.max_size)
		rotate();
	if (logs.fd < 0 && logs.failed)
		logs.failed = !open_file(0);
	if (logs.fd >= 0 && logs.lost > 0)
		own_up();
	if (logs.fd < 0 || logs.lost > 0)
		logs.lost += count_lines(logs.batch.at, size);
	else
		logs.lost += append(logs.batch.at, size);
	logs.batch.used -= size;
	memmove(logs.batch.at, logs.batch.at + size, logs.batch.used);
}

static void flush_batch(void)
{
	flush_part(logs.batch.used);
}

static void add_line(const char *service, int stream, const char *line,
		     size_t n)
{
	size_t before = logs.batch.used;

	put_line(&logs.batch, service, stream, line, n);
	/* No file grows beyond its size for the sake of a larger batch. */
	if (logs.max_size > 0 && (unsigned long long)logs.size +
	    logs.batch.used > logs.max_size)
		flush_part(before);
}

static void send_queue(struct queue *q)
{
	while (q->used > 0 && !q->gone) {
		ssize_t n = q->socket ?
			send(q->fd, q->bytes, q->used, MSG_DONTWAIT |
			     MSG_NOSIGNAL) :
			write(q->fd, q->bytes, q->used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			q->gone = true;
			q->used = 0;
			return;
		}
		q->used -= (size_t)n;
		memmove(q->bytes, q->bytes + n, q->used);
	}
}

static void forward(int stream, const char *p, size_t n)
{
	struct queue *q = &logs.queues[stream - 1];
	char note[80];
	int length;

	if (logs.forward == FORWARD_NO || q->gone)
		return;
	if (!q->bytes)
		q->bytes = malloc(QUEUE_MAX + LINE_MAX_BYTES);
	if (!q->bytes)
		return;
	if (q->used + n > QUEUE_MAX + LINE_MAX_BYTES || (q->used > QUEUE_MAX &&
	    logs.forward == FORWARD_DROP)) {
		q->dropped++;
		return;
	}
	if (q->dropped > 0 && q->used < QUEUE_MAX / 2) {
		length = snprintf(note, sizeof(note), "tranship: %lu pieces "
				  "of output not shown\n", q->dropped);
		memcpy(q->bytes + q->used, note, (size_t)length);
		q->used += (size_t)length;
		q->dropped = 0;
	}
	if (q->used + n > QUEUE_MAX + LINE_MAX_BYTES) {
		q->dropped++;
		return;
	}
	memcpy(q->bytes + q->used, p, n);
	q->used += n;
}

struct log_source *logs_add(const char *service, int stream, int *write_fd)
{
	struct log_source *s = calloc(1, sizeof(*s));
	int fds[2];

	if (!s || pipe2(fds, O_CLOEXEC) < 0) {
		free(s);
		return NULL;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	s->fd = fds[0];
	s->stream = stream;
	snprintf(s->service, sizeof(s->service), "%s", service);
	*write_fd = fds[1];
	s->next = logs.sources;
	logs.sources = s;
	return s;
}

struct log_source *logs_add_terminal(const char *service, int fd)
{
	struct log_source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = fd;
	s->stream = 1;
	snprintf(s->service, sizeof(s->service), "%s", service);
	s->next = logs.sources;
	logs.sources = s;
	return s;
}

void logs_listen(struct log_source *s, log_listener *listener, void *data)
{
	s->listener = listener;
	s->data = data;
}

void logs_deaf(const void *data)
{
	struct log_source *s;

	for (s = logs.sources; s; s = s->next)
		if (s->data == data)
			s->listener = NULL;
}

static void emit(struct log_source *s, char *line, size_t n)
{
	char kept;

	if (logs.fd >= 0 || logs.failed)
		add_line(s->service, s->stream, line, n);
	if (!s->listener)
		return;
	n -= n > 0 && line[n - 1] == '\n';
	kept = line[n];
	line[n] = 0;
	s->listener(s->data, line);
	line[n] = kept;
}

/* Where to cut a full buffer without cutting a character. */
static size_t boundary(const char *line, size_t n)
{
	size_t back;

	for (back = 1; back < 4 && back < n; back++) {
		unsigned char ch = (unsigned char)line[n - back];

		if ((ch & 0xc0) == 0x80)
			continue;
		if (ch >= 0xf0 ? back < 4 : ch >= 0xe0 ? back < 3 :
		    ch >= 0xc0 && back < 2)
			return n - back;
		break;
	}
	return n;
}

static void split_lines(struct log_source *s, bool ended)
{
	size_t start = 0;

	for (;;) {
		char *end = memchr(s->line + start, '\n', s->used - start);
		size_t n;

		if (!end)
			break;
		n = (size_t)(end - s->line) + 1 - start;
		emit(s, s->line + start, n);
		start += n;
	}
	if (start == 0 && s->used == LINE_MAX_BYTES) {
		start = boundary(s->line, s->used);
		emit(s, s->line, start);
	}
	if (ended && s->used > start) {
		emit(s, s->line + start, s->used - start);
		start = s->used;
	}
	s->used -= start;
	memmove(s->line, s->line + start, s->used);
}

static bool held_back(const struct log_source *s)
{
	return logs.forward == FORWARD_WAIT &&
		!logs.queues[s->stream - 1].gone &&
		logs.queues[s->stream - 1].used > QUEUE_MAX;
}

static void read_source(struct log_source *s, int rounds)
{
	while (rounds-- > 0 && s->fd >= 0 && !held_back(s)) {
		ssize_t n = read(s->fd, s->line + s->used,
				 LINE_MAX_BYTES - s->used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n > 0) {
			forward(s->stream, s->line + s->used, (size_t)n);
			console_output(s->stream, s->line + s->used,
				       (size_t)n);
			s->used += (size_t)n;
		}
		split_lines(s, n <= 0);
		if (n <= 0) {
			close(s->fd);
			s->fd = -1;
		}
	}
}

static void remove_ended(void)
{
	struct log_source **at = &logs.sources, *s;

	while ((s = *at)) {
		if (s->fd >= 0) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		free(s);
	}
}

size_t logs_poll(struct pollfd *fds, size_t room)
{
	struct log_source *s;
	size_t n = 0;
	int i;

	for (i = 0; i < 2 && n < room; i++) {
		struct queue *q = &logs.queues[i];

		if (logs.forward != FORWARD_NO && q->used > 0 && !q->gone)
			fds[n++] = (struct pollfd){ .fd = q->fd,
						    .events = POLLOUT };
	}
	for (s = logs.sources; s && n < room; s = s->next)
		if (s->fd >= 0 && !held_back(s))
			fds[n++] = (struct pollfd){ .fd = s->fd,
						    .events = POLLIN };
	return n;
}

void logs_handle(const struct pollfd *fds, size_t count)
{
	struct log_source *s;
	size_t i;

	for (i = 0; i < count; i++) {
		if (!fds[i].revents || fds[i].events != POLLIN)
			continue;
		for (s = logs.sources; s; s = s->next) {
			if (s->fd != fds[i].fd)
				continue;
			read_source(s, ROUNDS);
			break;
		}
	}
	flush_batch();
	send_queue(&logs.queues[0]);
	send_queue(&logs.queues[1]);
	remove_ended();
}

void logs_line(const char *service, const char *line)
{
	size_t n = strlen(line);

	if (logs.fd < 0)
		return;
	add_line(service, 2, line, n);
	flush_batch();
}

void logs_drain(void)
{
	struct log_source *s;

	/* Bounded: a survivor may write for ever. */
	for (s = logs.sources; s; s = s->next) {
		read_source(s, 1024);
		split_lines(s, !held_back(s));
	}
	flush_batch();
	send_queue(&logs.queues[0]);
	send_queue(&logs.queues[1]);
	remove_ended();
}

bool logs_pending(void)
{
	struct log_source *s;
	int i;

	if (logs.forward != FORWARD_WAIT)
		return false;
	for (i = 0; i < 2; i++)
		if (logs.queues[i].used > 0 && !logs.queues[i].gone)
			return true;
	for (s = logs.sources; s; s = s->next)
		if (s->fd >= 0 && held_back(s))
			return true;
	return false;
}

void logs_close_unread(void)
{
	struct log_source *s;

	if (logs.forward == FORWARD_NO)
		return;
	for (s = logs.sources; s; s = s->next) {
		if (s->fd < 0 || !logs.queues[s->stream - 1].gone)
			continue;
		split_lines(s, true);
		close(s->fd);
		s->fd = -1;
	}
	flush_batch();
	remove_ended();
}
