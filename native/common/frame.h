/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames as in docs/internals/records.md: u32 length, u8 type, u32 id,
 * payload, all little-endian. A writer collects frames in one buffer and
 * flushes when it is full or when asked.
 */
#ifndef TRANSHIP_FRAME_H
#define TRANSHIP_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX (1U << 20)
#define FRAME_HEADER 9

struct frame_writer {
	int fd;
	int error;		/* first errno met while writing, else 0 */
	size_t used;
	size_t start;		/* offset of the frame being written */
	unsigned char *buf;
	size_t size;
};

/* frame_writer_init() - @size is at least FRAME_MAX + FRAME_HEADER. */
int frame_writer_init(struct frame_writer *w, int fd, size_t size);
int frame_flush(struct frame_writer *w);

/* A frame is begun, filled by put_*() and ended. put_*() never overflow:
 * a frame that would grow beyond FRAME_MAX sets w->error to EMSGSIZE. */
void frame_begin(struct frame_writer *w, uint8_t type, uint32_t id);
void frame_end(struct frame_writer *w);
void put_u8(struct frame_writer *w, uint8_t v);
void put_u16(struct frame_writer *w, uint16_t v);
void put_u32(struct frame_writer *w, uint32_t v);
void put_u64(struct frame_writer *w, uint64_t v);
void put_raw(struct frame_writer *w, const void *p, size_t n);
void put_bytes16(struct frame_writer *w, const void *p, size_t n);
void put_bytes32(struct frame_writer *w, const void *p, size_t n);

/* write_all() - 0, or -1 with errno; goes on after EINTR and short writes. */
int write_all(int fd, const void *p, size_t n);
/* read_all() - bytes read (less than @n only at the end), or -1. */
long read_all(int fd, void *p, size_t n);

#endif
