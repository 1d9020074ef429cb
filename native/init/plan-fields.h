/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of a plan's bytes. A cursor never moves beyond the end of the
 * frame it stands in; the first breach sets cursor.why and makes all later
 * reads return zeroes, so that callers check once per frame.
 */
#ifndef TRANSHIP_INIT_PLAN_FIELDS_H
#define TRANSHIP_INIT_PLAN_FIELDS_H

#include "plan.h"

struct cursor {
	const unsigned char *at, *end;
	const char *why;
};

/* allocate() - zeroed; dies where there is no memory */
void *allocate(size_t count, size_t size);
/* refuse() - the first reason counts */
void refuse(struct cursor *c, const char *why);

/* get() - @n bytes, little-endian */
uint64_t get(struct cursor *c, size_t n);
uint16_t get_u16(struct cursor *c);
uint32_t get_u32(struct cursor *c);
/* get_choice() - a byte from 0 to @last */
unsigned int get_choice(struct cursor *c, unsigned int last);
/* get_index() - below @count */
uint16_t get_index(struct cursor *c, size_t count);
/* get_text() - behind its length, which takes @width bytes; a NUL is added */
char *get_text(struct cursor *c, size_t width);
/* get_name() - not empty; get_path() - absolute */
char *get_name(struct cursor *c);
char *get_path(struct cursor *c);
struct strings get_strings(struct cursor *c);
struct variable get_variable(struct cursor *c);

#endif
