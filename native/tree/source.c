// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source.h"

#define SOURCE_SIZE (2UL * (FRAME_MAX + FRAME_HEADER))

int source_init(struct frame_source *s, int fd)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->size = SOURCE_SIZE;
	s->buf = malloc(s->size);
	return s->buf ? 0 : -1;
}

int source_magic(struct frame_source *s)
{
	unsigned char got[TREE_MAGIC_LEN];
	long n = read_all(s->fd, got, sizeof(got));

	if (n == 0)
		return 0;
	if (n != (long)sizeof(got) || memcmp(got, TREE_MAGIC, sizeof(got)) != 0)
		return -1;
	return 1;
}

static uint32_t load_u32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

/* Reads once; 1 more bytes, 0 end, -errno. */
static int refill(struct frame_source *s)
{
	ssize_t n;

	if (s->start == s->end) {
		s->start = 0;
		s->end = 0;
	} else if (s->size - s->start < FRAME_MAX + FRAME_HEADER) {
		memmove(s->buf, s->buf + s->start, s->end - s->start);
		s->end -= s->start;
		s->start = 0;
	}
	do {
		n = read(s->fd, s->buf + s->end, s->size - s->end);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	s->end += (size_t)n;
	return n > 0;
}

int source_next(struct frame_source *s, struct frame *f,
		struct frame_writer *before_wait)
{
	for (;;) {
		const unsigned char *at = s->buf + s->start;
		size_t have = s->end - s->start;
		int got;

		if (have >= FRAME_HEADER) {
			uint32_t len = load_u32(at);

			if (len > FRAME_MAX)
				return -EPROTO;
			if (have - FRAME_HEADER >= len) {
				f->type = at[4];
				f->id = load_u32(at + 5);
				f->payload = at + FRAME_HEADER;
				f->len = len;
				s->start += FRAME_HEADER + len;
				return 1;
			}
		}
		if (before_wait && frame_flush(before_wait) < 0)
			return -before_wait->error;
		got = refill(s);
		if (got < 0)
			return got;
		if (got == 0)
			return have == 0 ? 0 : -EPROTO;
	}
}

static const unsigned char *take(struct cursor *c, size_t n)
{
	const unsigned char *at = c->at;

	if (c->bad || c->left < n) {
		c->bad = true;
		return NULL;
	}
	c->at += n;
	c->left -= n;
	return at;
}

uint8_t get_u8(struct cursor *c)
{
	const unsigned char *p = take(c, 1);

	return p ? p[0] : 0;
}

uint16_t get_u16(struct cursor *c)
{
	const unsigned char *p = take(c, 2);

	return p ? (uint16_t)(p[0] | p[1] << 8) : 0;
}

uint32_t get_u32(struct cursor *c)
{
	const unsigned char *p = take(c, 4);

	return p ? load_u32(p) : 0;
}

uint64_t get_u64(struct cursor *c)
{
	uint64_t low = get_u32(c);

	return low | (uint64_t)get_u32(c) << 32;
}

static struct bytes get_bytes(struct cursor *c, size_t n)
{
	struct bytes b = { take(c, n), 0 };

	if (b.at)
		b.len = n;
	return b;
}

struct bytes get_bytes16(struct cursor *c)
{
	size_t n = get_u16(c);

	return get_bytes(c, n);
}

struct bytes get_bytes32(struct cursor *c)
{
	size_t n = get_u32(c);

	return get_bytes(c, n);
}
