// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "json.h"

static char *room(struct text *t, size_t n)
{
	if (t->size - t->used < n) {
		size_t size = 2 * t->size + n + 256;
		char *at = realloc(t->at, size);

		if (!at)
			die("out of memory");
		t->at = at;
		t->size = size;
	}
	return t->at + t->used;
}

void text_add(struct text *t, const char *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(room(t, n), p, n);
	t->used += n;
}

void text_format(struct text *t, const char *fmt, ...)
{
	char *at = room(t, 256);
	size_t size = t->size - t->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(at, size, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= size) {
		at = room(t, (size_t)n + 1);
		va_start(ap, fmt);
		vsnprintf(at, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	t->used += (size_t)n;
}

size_t utf8_length(const unsigned char *p, size_t n)
{
	size_t length, i;
	unsigned int v;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		length = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		length = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		length = 4;
	else
		return 0;
	if (length > n)
		return 0;
	v = p[0] & (0xffU >> (length + 1));
	for (i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3fU);
	}
	if ((length == 3 && (v < 0x800 || (v >= 0xd800 && v < 0xe000))) ||
	    (length == 4 && (v < 0x10000 || v > 0x10ffff)))
		return 0;
	return length;
}

void json_string(struct text *t, const char *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)p;
	char *out = room(t, 6 * n + 2), *start = out;
	size_t i = 0, length;

	*out++ = '"';
	while (i < n) {
		unsigned char ch = s[i];

		if (ch >= 0x20 && ch < 0x7f && ch != '"' && ch != '\\') {
			*out++ = (char)ch;
			i++;
			continue;
		}
		length = utf8_length(s + i, n - i);
		if (length > 1) {
			memcpy(out, s + i, length);
			out += length;
			i += length;
			continue;
		}
		*out++ = '\\';
		if (ch == '\n') {
			*out++ = 'n';
		} else if (ch == '"' || ch == '\\') {
			*out++ = (char)ch;
		} else {
			memcpy(out, "u00", 3);
			out[3] = hex[ch >> 4];
			out[4] = hex[ch & 15];
			out += 5;
		}
		i++;
	}
	*out++ = '"';
	t->used += (size_t)(out - start);
}

void json_text(struct text *t, const char *s)
{
	json_string(t, s, strlen(s));
}
