// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#ifndef ENGINE_TEST
/* The compiler must not make a call of memcpy() out of memcpy() itself. */
#define OWN_LOOP __attribute__((optimize("no-tree-loop-distribute-patterns")))

typedef uint64_t word __attribute__((may_alias, aligned(1)));

#define BYTES(c) (0x0101010101010101ULL * (c))

/* Bit 7 of the first byte that is zero; those above it may be wrong. */
static inline uint64_t zero_bytes(uint64_t w)
{
	return (w - BYTES(1)) & ~w & BYTES(0x80);
}

/*
 * Most copies are names: by words, the last of which overlaps the one before.
 * It is read first, as memmove() has copies that overlap come here. The
 * processor's own copy starts slowly.
 */
OWN_LOOP void *memcpy(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;
	uint64_t last;

	if (n >= 512) {
		void *at = to;

		__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n)
				 : : "memory");
		return to;
	}
	if (n < 8) {
		while (n-- > 0)
			*t++ = *f++;
		return to;
	}
	last = *(const word *)(const void *)(f + n - 8);
	for (; n > 8; n -= 8, t += 8, f += 8)
		*(word *)(void *)t = *(const word *)(const void *)f;
	*(word *)(void *)(t + n - 8) = last;
	return to;
}

OWN_LOOP void *memmove(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	if (t == f)
		return to;
	if ((uintptr_t)t - (uintptr_t)f >= n)
		return memcpy(to, from, n);
	while (n-- > 0)
		t[n] = f[n];
	return to;
}

OWN_LOOP void *memset(void *p, int c, size_t n)
{
	void *at = p;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
	return p;
}

OWN_LOOP int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n >= 8; n -= 8, x += 8, y += 8)
		if (*(const word *)(const void *)x !=
		    *(const word *)(const void *)y)
			break;
	for (; n > 0; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

/* By words that are aligned, so that none reaches into a page of which @s has
 * no byte. */
OWN_LOOP size_t strlen(const char *s)
{
	unsigned int before = (uintptr_t)s & 7;
	const char *at = s - before;
	/* What lies before @s is no end. */
	uint64_t zeros = zero_bytes(*(const word *)(const void *)at |
				    ((1ULL << 8 * before) - 1));

	while (!zeros) {
		at += 8;
		zeros = zero_bytes(*(const word *)(const void *)at);
	}
	return (size_t)(at - s) + (unsigned int)__builtin_ctzll(zeros) / 8;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++) {
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (!*s)
			return (char *)(uintptr_t)found;
	}
}
#endif

bool text_copy(char *to, size_t size, const char *from)
{
	return text_join(to, size, from, "");
}

bool text_join(char *to, size_t size, const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);

	if (na >= size || nb >= size - na)
		return false;
	memmove(to, a, na);
	memmove(to + na, b, nb + 1);
	return true;
}

size_t text_decimal(char *to, int64_t value)
{
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char digits[20];
	size_t n = 0, at = 0;

	do {
		digits[n++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		to[at++] = '-';
	while (n > 0)
		to[at++] = digits[--n];
	to[at] = 0;
	return at;
}

bool text_number(const char *s, int64_t *value)
{
	bool negative = *s == '-';
	int64_t sum = 0;

	if (negative)
		s++;
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' ||
		    __builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_sub_overflow(sum, *s - '0', &sum))
			return false;
	}
	/* Summed up below zero: the least number has no positive partner. */
	if (!negative && sum == INT64_MIN)
		return false;
	*value = negative ? sum : -sum;
	return true;
}

const char *text_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
