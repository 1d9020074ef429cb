/* SPDX-License-Identifier: Apache-2.0 */
/* The few string functions that are needed, and what a compiler expects. */
#ifndef TRANSHIP_ENGINE_TEXT_H
#define TRANSHIP_ENGINE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *p, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);

/* text_copy() - @from into @to of @size bytes; false where it does not fit. */
bool text_copy(char *to, size_t size, const char *from);
/* text_join() - @a and @b as one text; false where they do not fit. */
bool text_join(char *to, size_t size, const char *a, const char *b);
/* text_decimal() - writes @value in decimal and returns its length; @to holds
 * at least 21 bytes. */
size_t text_decimal(char *to, int64_t value);
/* text_number() - the whole of @s as a decimal number, a sign allowed. */
bool text_number(const char *s, int64_t *value);
/* text_base() - what follows the last slash of @path. */
const char *text_base(const char *path);

#endif
