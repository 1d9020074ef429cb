// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "seen.h"

#define SLOTS_FIRST (1U << 13)
#define SLOTS_MAX (1U << 21)	/* 32 MiB */

static struct seen_key *slots;
static size_t slot_count;
static size_t used;
static uint64_t secret[3];

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 r = (unsigned __int128)a * b;

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

void seen_init(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	if (random)
		memcpy(secret, random, 16);
	secret[0] ^= 0x9e3779b97f4a7c15ULL;
	secret[1] ^= 0xc2b2ae3d27d4eb4fULL;
	secret[2] = mix(secret[0] | 1, secret[1] | 1) ^ 0x165667b19e3779f9ULL;
	slot_count = SLOTS_FIRST;
	slots = calloc(slot_count, sizeof(*slots));
	if (!slots)
		slot_count = 0;
}

static struct seen_key fold(struct seen_key k, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		uint64_t w = 0;
		size_t step = n < 8 ? n : 8;

		memcpy(&w, at, step);
		k.a = mix(k.a ^ w, secret[0] | 1) + secret[2];
		k.b = mix(k.b + w, secret[1] | 1) ^ secret[2];
		at += step;
		n -= step;
	}
	return k;
}

struct seen_key seen_key(uint32_t tag, const void *p, size_t n, const void *p2,
			 size_t n2)
{
	uint64_t head[2] = { tag, ((uint64_t)n << 32) | n2 };
	struct seen_key k = { secret[1], secret[2] };

	k = fold(k, head, sizeof(head));
	k = fold(k, p, n);
	return fold(k, p2, n2);
}

struct seen_key seen_result(struct seen_key k, int32_t result)
{
	return fold(k, &result, sizeof(result));
}

static size_t find(struct seen_key k)
{
	size_t at = (size_t)k.a & (slot_count - 1);

	while ((slots[at].a | slots[at].b) != 0 &&
	       (slots[at].a != k.a || slots[at].b != k.b))
		at = (at + 1) & (slot_count - 1);
	return at;
}

static void grow(void)
{
	struct seen_key *old = slots;
	size_t n = slot_count;
	struct seen_key *bigger = calloc(n * 2, sizeof(*bigger));

	if (!bigger)
		return;
	slots = bigger;
	slot_count = n * 2;
	for (size_t i = 0; i < n; i++)
		if ((old[i].a | old[i].b) != 0)
			slots[find(old[i])] = old[i];
	free(old);
}

bool seen_has(struct seen_key k)
{
	return slot_count > 0 && slots[find(k)].a == k.a && (k.a | k.b) != 0;
}

bool seen_add(struct seen_key k)
{
	size_t at;

	if (slot_count == 0)
		return true;
	at = find(k);
	if ((slots[at].a | slots[at].b) != 0)
		return false;
	if (used >= slot_count / 4 * 3) {
		if (slot_count < SLOTS_MAX)
			grow();
		if (used >= slot_count / 4 * 3)
			return true;
		at = find(k);
	}
	slots[at] = k;
	used++;
	return true;
}
