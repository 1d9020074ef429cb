// SPDX-License-Identifier: Apache-2.0
/*
 * Theory: one pass over the bytes, frame by frame. Texts are copied with a NUL
 * behind them; since each takes at least its two length bytes in a file of at
 * most 4 MiB, memory is bounded by a small multiple of the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "die.h"
#include "frame.h"
#include "plan-entries.h"
#include "plan.h"

#define MOST_BYTES (4U << 20)

static const unsigned char magic[8] = { 'T', 'R', 'I', 'N', 'I', 'T', 0, 1 };

const char *plan_decode(const unsigned char *bytes, size_t size,
			struct plan *out)
{
	struct cursor c = { .at = bytes, .end = bytes + size };
	int logs = 0;

	memset(out, 0, sizeof(*out));
	if (size > MOST_BYTES)
		return "larger than 4 MiB";
	if (size < sizeof(magic) || memcmp(bytes, magic, sizeof(magic)) != 0)
		return "wrong magic or another version";
	c.at += sizeof(magic);
	for (;;) {
		uint32_t length = get_u32(&c);
		unsigned int type = (unsigned int)get(&c, 1);
		struct cursor inner;

		if (c.why)
			return c.why;
		if (length > FRAME_MAX || length > (size_t)(c.end - c.at))
			return "frame beyond the end";
		if (type == F_END) {
			if (length || c.at != c.end)
				return "bytes after the end";
			return logs == 1 ? NULL : "not exactly one log frame";
		}
		logs += type == F_LOG;
		inner = (struct cursor){ .at = c.at, .end = c.at + length };
		read_entry(&inner, type, out);
		if (inner.why)
			return inner.why;
		c.at += length;
	}
}

const char *plan_read(const char *path, struct plan *out)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free unsigned char *bytes = NULL;
	struct stat st;
	long got;

	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return "not a regular file";
	}
	if (st.st_size > (off_t)MOST_BYTES) {
		errno = EINVAL;
		return "larger than 4 MiB";
	}
	bytes = allocate((size_t)st.st_size, 1);
	got = read_all(fd, bytes, (size_t)st.st_size);
	if (got < 0) {
		const char *why = strerror(errno);

		errno = EIO;
		return why;
	}
	errno = EINVAL;
	return plan_decode(bytes, (size_t)got, out);
}

const struct program *plan_program(const struct plan *plan, const char *name)
{
	size_t i;

	for (i = 0; i < plan->program_count; i++)
		if (strcmp(plan->programs[i].name, name) == 0)
			return &plan->programs[i];
	return NULL;
}
