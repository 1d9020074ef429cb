/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of policy.bin, and what its two readers share. */
#ifndef TRANSHIP_ENGINE_POLICY_BYTES_H
#define TRANSHIP_ENGINE_POLICY_BYTES_H

#include "policy-table.h"

#define RULE 24	/* bytes of one */

static inline uint32_t u16(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t u32(const unsigned char *p)
{
	return u16(p) | u16(p + 2) << 16;
}

static inline uint64_t u64(const unsigned char *p)
{
	return u32(p) | (uint64_t)u32(p + 4) << 32;
}

/* rule_order() - of two paths in the table: below 0, 0 or above. */
int rule_order(const char *a, size_t na, const char *b, size_t nb);
/* rule_holds() - whether @path of @n bytes is the rule's, or below. */
bool rule_holds(const char *path, size_t n, const struct rule *r);

#endif
