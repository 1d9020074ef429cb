// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "plan-fields.h"

void *allocate(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size);

	if (!p)
		die("out of memory while reading the plan");
	return p;
}

void refuse(struct cursor *c, const char *why)
{
	if (!c->why)
		c->why = why;
	c->at = c->end;
}

uint64_t get(struct cursor *c, size_t n)
{
	uint64_t v = 0;
	size_t i;

	if ((size_t)(c->end - c->at) < n) {
		refuse(c, "cut off");
		return 0;
	}
	for (i = 0; i < n; i++)
		v |= (uint64_t)c->at[i] << (8 * i);
	c->at += n;
	return v;
}

uint16_t get_u16(struct cursor *c)
{
	return (uint16_t)get(c, 2);
}

uint32_t get_u32(struct cursor *c)
{
	return (uint32_t)get(c, 4);
}

unsigned int get_choice(struct cursor *c, unsigned int last)
{
	unsigned int v = (unsigned int)get(c, 1);

	if (v > last) {
		refuse(c, "value out of range");
		return 0;
	}
	return v;
}

char *get_text(struct cursor *c, size_t width)
{
	size_t n = (size_t)get(c, width);
	char *text;

	if (c->why || (size_t)(c->end - c->at) < n) {
		refuse(c, "cut off");
		n = 0;
	}
	if (memchr(c->at, 0, n)) {
		refuse(c, "NUL in a text");
		n = 0;
	}
	text = allocate(n + 1, 1);
	memcpy(text, c->at, n);
	c->at += n;
	return text;
}

char *get_name(struct cursor *c)
{
	char *text = get_text(c, 2);

	if (!*text)
		refuse(c, "empty name");
	return text;
}

char *get_path(struct cursor *c)
{
	char *text = get_text(c, 2);

	if (*text != '/')
		refuse(c, "path that is not absolute");
	return text;
}

struct strings get_strings(struct cursor *c)
{
	struct strings s = { .count = get_u16(c) };
	size_t i;

	/* Each takes four bytes at least: do not allocate on a mere promise. */
	if (s.count > (size_t)(c->end - c->at) / 4) {
		refuse(c, "cut off");
		s.count = 0;
	}
	s.list = allocate(s.count + 1, sizeof(*s.list));
	for (i = 0; i < s.count; i++)
		s.list[i] = get_text(c, 4);
	return s;
}

struct variable get_variable(struct cursor *c)
{
	struct variable v;

	v.name = get_name(c);
	v.value = get_text(c, 4);
	if (strchr(v.name, '='))
		refuse(c, "= in the name of a variable");
	return v;
}

uint16_t get_index(struct cursor *c, size_t count)
{
	uint16_t v = get_u16(c);

	if (v >= count) {
		refuse(c, "index out of range");
		return 0;
	}
	return v;
}
