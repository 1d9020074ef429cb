// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/PID/maps names files by their real paths. Who opens it gets a copy of
 * that moment, in memory, with the names that the application knows.
 */
#include "files-call.h"
#include "files.h"
#include "memory-file.h"
#include "sys.h"
#include "text.h"

#define CHUNK (256UL << 10)
#define MFD_CLOEXEC 1

bool maps_asked(const char *path)
{
	size_t n = 6;

	if (strncmp(path, "/proc/", n) != 0)
		return false;
	if (strncmp(path + n, "self/", 5) == 0)
		n += 4;
	else if (strncmp(path + n, "thread-self/", 12) == 0)
		n += 11;
	else
		while (path[n] >= '0' && path[n] <= '9')
			n++;
	return n > 6 && strcmp(path + n, "/maps") == 0;
}

struct output {
	long fd;
	char *at;
	size_t used;
	long result;
};

static void flush(struct output *o)
{
	size_t done = 0;

	while (o->result == 0 && done < o->used) {
		long n = SYS(__NR_write, o->fd, o->at + done, o->used - done);

		if (n < 0)
			o->result = n;
		else
			done += (size_t)n;
	}
	o->used = 0;
}

static void put(struct output *o, const char *text, size_t n)
{
	if (o->used + n > CHUNK)
		flush(o);
	memcpy(o->at + o->used, text, n);
	o->used += n;
}

/* One line, without its end. What stands before a name has no slash. */
static void put_line(struct output *o, const char *line, size_t n)
{
	char path[PATH_SIZE];
	size_t head = 0;

	while (head < n && line[head] != '/')
		head++;
	put(o, line, head);
	if (n - head >= PATH_SIZE) {
		put(o, line + head, n - head);
	} else {
		memcpy(path, line + head, n - head);
		path[n - head] = 0;
		path_location(path, PATH_SIZE, NO_RULE);
		put(o, path, strlen(path));
	}
	put(o, "\n", 1);
}

/* @buffer holds CHUNK bytes; a line that was read in part waits at its start
 * for the rest. */
static long copy_lines(struct output *o, long from, char *buffer)
{
	size_t kept = 0;
	long n;

	while ((n = SYS(__NR_read, from, buffer + kept, CHUNK - kept)) > 0) {
		size_t end = kept + (size_t)n, line = 0;

		for (size_t at = 0; at < end; at++) {
			if (buffer[at] != '\n')
				continue;
			put_line(o, buffer + line, at - line);
			line = at + 1;
		}
		kept = end - line;
		memmove(buffer, buffer + line, kept);
		if (kept == CHUNK)
			return -EIO;
	}
	flush(o);
	return n < 0 ? n : o->result;
}

long maps_open(const char *path, unsigned long flags)
{
	struct output o = { 0 };
	long memory, from, result;

	memory = SYS(__NR_mmap, 0, 2 * CHUNK, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (IS_ERROR(memory))
		return -ENOMEM;
	/* It comes first, to have the number that open() would give. */
	o.fd = SYS(__NR_memfd_create, "maps",
		   flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
	result = o.fd;
	if (o.fd >= 0) {
		from = SYS(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
		result = from;
	}
	if (result >= 0) {
		o.at = (char *)memory + CHUNK;
		result = copy_lines(&o, from, (char *)memory);
		SYS(__NR_close, from);
	}
	SYS(__NR_munmap, memory, 2 * CHUNK);
	if (result < 0) {
		if (o.fd >= 0)
			SYS(__NR_close, o.fd);
		return result;
	}
	return memory_file_to_read(o.fd, flags);
}
