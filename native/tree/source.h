/* SPDX-License-Identifier: Apache-2.0 */
/* Incoming frames, and the fields of a payload. */
#ifndef TRANSHIP_TREE_SOURCE_H
#define TRANSHIP_TREE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

#define TREE_MAGIC "TRTREE\0\1"
#define TREE_MAGIC_LEN 8

enum tree_request {
	REQUEST_STAT = 1,
	REQUEST_LIST,
	REQUEST_WALK,
	REQUEST_READ,
	REQUEST_STREAM,
	REQUEST_RESOLVE,
	REQUEST_OPENED,
};

enum tree_frame {
	FRAME_ENTRY = 16,
	FRAME_DATA,
	FRAME_END,
	FRAME_ERROR,
	FRAME_HARDLINK,
	FRAME_WHITEOUT,
	FRAME_OPAQUE,
	FRAME_FINISH,
};

struct frame_source {
	int fd;
	size_t start;
	size_t end;
	unsigned char *buf;
	size_t size;
};

struct frame {
	uint8_t type;
	uint32_t id;
	const unsigned char *payload;	/* valid until the next source_next() */
	size_t len;
};

/* source_init() - 0, or -1 where memory is short. */
int source_init(struct frame_source *s, int fd);

/* source_magic() - read and compare the opening; 1, 0 where nothing came, or
 * -1. */
int source_magic(struct frame_source *s);

/*
 * source_next() - the next frame
 * @before_wait: flushed before the call blocks for more input, or NULL
 *
 * Return: 1 with @f filled, 0 at a clean end, -errno (EPROTO where the input
 * breaks off inside a frame or announces one that is too large).
 */
int source_next(struct frame_source *s, struct frame *f,
		struct frame_writer *before_wait);

/* A cursor over a payload; reading beyond the end sets @bad and gives 0. */
struct cursor {
	const unsigned char *at;
	size_t left;
	bool bad;
};

struct bytes {
	const unsigned char *at;
	size_t len;
};

uint8_t get_u8(struct cursor *c);
uint16_t get_u16(struct cursor *c);
uint32_t get_u32(struct cursor *c);
uint64_t get_u64(struct cursor *c);
struct bytes get_bytes16(struct cursor *c);
struct bytes get_bytes32(struct cursor *c);

#endif
