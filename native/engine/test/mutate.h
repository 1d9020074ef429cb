/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damage for the readers of files: bits, bytes, numbers at their limits, parts
 * that are moved, cut off or repeated. The result has a block of its exact size, so
 * that a byte too far shows.
 */
#ifndef TRANSHIP_ENGINE_TEST_MUTATE_H
#define TRANSHIP_ENGINE_TEST_MUTATE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* random_below() - xorshift: the same seed gives the same damage. */
static uint32_t random_state = 1;

static size_t random_below(size_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return n ? random_state % n : 0;
}

static void mutate_once(unsigned char *p, size_t n)
{
	static const uint64_t edges[] = { 0, 1, 7, 8, 0x7f, 0xff, 0x100, 0xfff,
		0x1000, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
		0x7fffffffffff, 0x800000000000, 0x7fffffffffffffff,
		0x8000000000000000, 0xfffffffffffff000, 0xffffffffffffffff };
	static const size_t sizes[] = { 1, 2, 4, 8 };
	size_t at = random_below(n), size = sizes[random_below(4)];
	uint64_t v = edges[random_below(sizeof(edges) / sizeof(edges[0]))];

	switch (random_below(5)) {
	case 0:
		p[at] ^= (unsigned char)(1U << random_below(8));
		break;
	case 1:
		p[at] = (unsigned char)random_below(256);
		break;
	case 2: /* a number where numbers stand, mostly little */
		at &= ~(size_t)3;
		if (random_below(2))
			v = random_below(n + 2);
		memcpy(p + at, &v, size < n - at ? size : n - at);
		break;
	case 3: /* a part over another */
		size = 4 + random_below(28);
		if (size < n)
			memmove(p + random_below(n - size),
				p + random_below(n - size), size);
		break;
	default: /* some more or less than it was */
		p[at] = (unsigned char)(p[at] + random_below(17) - 8);
	}
}

/* mutated() - a damaged copy of the @n bytes at @from, to be freed; its size in
 * @n. */
static unsigned char *mutated(const unsigned char *from, size_t *n)
{
	size_t size = random_below(12) ? *n : random_below(*n + 1);
	unsigned char *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, from, size);
	for (size_t k = size ? 1 + random_below(4) : 0; k > 0; k--)
		mutate_once(copy, size);
	*n = size;
	return copy;
}

#endif
