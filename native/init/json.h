/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text into a growing buffer. Strings are any bytes: what is not valid
 * UTF-8 becomes \u00XX, byte by byte, so that the result always is. */
#ifndef TRANSHIP_INIT_JSON_H
#define TRANSHIP_INIT_JSON_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *at;
	size_t used, size;
};

void text_add(struct text *t, const char *p, size_t n);
__attribute__((format(printf, 2, 3)))
void text_format(struct text *t, const char *fmt, ...);
/* json_string() - with its quotes; @n bytes */
void json_string(struct text *t, const char *p, size_t n);
void json_text(struct text *t, const char *s);
/* utf8_length() - of the valid character at @p, of at most @n bytes; else 0 */
size_t utf8_length(const unsigned char *p, size_t n);

#endif
