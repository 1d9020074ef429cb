/* SPDX-License-Identifier: Apache-2.0 */
/* The set of what was already said, so that it is written once. */
#ifndef TRANSHIP_SEEN_H
#define TRANSHIP_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 128 bits of a hash with a secret seed: equal keys mean equal facts. */
struct seen_key {
	uint64_t a;
	uint64_t b;
};

void seen_init(void);
struct seen_key seen_key(uint32_t tag, const void *p, size_t n, const void *p2,
			 size_t n2);
/* seen_result() - the key of the same fact with another @result. */
struct seen_key seen_result(struct seen_key k, int32_t result);
bool seen_has(struct seen_key k);
/* seen_add() - false where @k was there. A full set forgets nothing and takes
 * nothing more: duplicates are then written. */
bool seen_add(struct seen_key k);

#endif
