// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frame.h"

int write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

long read_all(int fd, void *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t done = read(fd, (char *)p + got, n - got);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		if (done == 0)
			break;
		got += (size_t)done;
	}
	return (long)got;
}

int frame_writer_init(struct frame_writer *w, int fd, size_t size)
{
	memset(w, 0, sizeof(*w));
	w->fd = fd;
	w->size = size;
	w->buf = malloc(size);
	return w->buf ? 0 : -1;
}

int frame_flush(struct frame_writer *w)
{
	if (w->used > 0 && w->error == 0 &&
	    write_all(w->fd, w->buf, w->used) < 0)
		w->error = errno;
	w->used = 0;
	return w->error ? -1 : 0;
}

void put_raw(struct frame_writer *w, const void *p, size_t n)
{
	if (w->error)
		return;
	if (n > FRAME_MAX ||
	    w->used - w->start + n > FRAME_MAX + FRAME_HEADER ||
	    w->used + n > w->size) {
		w->error = EMSGSIZE;
		return;
	}
	if (n > 0)
		memcpy(w->buf + w->used, p, n);
	w->used += n;
}

void put_u8(struct frame_writer *w, uint8_t v)
{
	put_raw(w, &v, 1);
}

void put_u16(struct frame_writer *w, uint16_t v)
{
	unsigned char b[2] = { (unsigned char)v, (unsigned char)(v >> 8) };

	put_raw(w, b, sizeof(b));
}

void put_u32(struct frame_writer *w, uint32_t v)
{
	put_u16(w, (uint16_t)v);
	put_u16(w, (uint16_t)(v >> 16));
}

void put_u64(struct frame_writer *w, uint64_t v)
{
	put_u32(w, (uint32_t)v);
	put_u32(w, (uint32_t)(v >> 32));
}

void put_bytes16(struct frame_writer *w, const void *p, size_t n)
{
	if (n > 0xffff) {
		w->error = EMSGSIZE;
		return;
	}
	put_u16(w, (uint16_t)n);
	put_raw(w, p, n);
}

void put_bytes32(struct frame_writer *w, const void *p, size_t n)
{
	put_u32(w, (uint32_t)n);
	put_raw(w, p, n);
}

void frame_begin(struct frame_writer *w, uint8_t type, uint32_t id)
{
	/* Room for the largest frame, so that none is split by a flush. */
	if (w->size - w->used < FRAME_MAX + FRAME_HEADER)
		frame_flush(w);
	w->start = w->used;
	put_u32(w, 0);
	put_u8(w, type);
	put_u32(w, id);
}

void frame_end(struct frame_writer *w)
{
	uint32_t n;
	unsigned char *at = w->buf + w->start;

	if (w->error)
		return;
	n = (uint32_t)(w->used - w->start - FRAME_HEADER);
	at[0] = (unsigned char)n;
	at[1] = (unsigned char)(n >> 8);
	at[2] = (unsigned char)(n >> 16);
	at[3] = (unsigned char)(n >> 24);
	w->start = w->used;
}
