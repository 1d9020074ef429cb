// SPDX-License-Identifier: Apache-2.0
/*
 * Sites that are known from other processes become jumps: all of a file together,
 * which costs one look into /proc and mostly one write of stubs.
 */
#include "gate.h"
#include "known-sites.h"
#include "patch.h"
#include "poke.h"
#include "stubs.h"
#include "text.h"

/* Jumps to be written, and their stubs, which lie one behind the other in an arena:
 * so that all of them are mostly one write. */
struct batch {
	unsigned int count;
	struct stub *places[KNOWN_SITES];
	struct stub stubs[KNOWN_SITES];
	struct batch_jump {
		unsigned long at;
		size_t n;
		unsigned char bytes[SITE_JUMP];
	} jumps[KNOWN_SITES];
};

/* What trapped before is as it was, or left as it is; and what never will be a jump
 * stays so: who stands behind such a call would find its next instruction gone. */
static void batch_add(struct batch *b, const struct known_site *known,
		      unsigned long address)
{
	struct batch_jump *j = &b->jumps[b->count];
	unsigned char bytes[SITE_BACK + SITE_AHEAD];
	struct site site;
	struct stub *place;

	if (patch_never(address) ||
	    copy_bytes(bytes, (void *)(address - SITE_BACK), sizeof(bytes)) < 0 ||
	    !known_site_is(known, bytes))
		return;
	site = site_proven(bytes);
	place = site.form == SITE_NONE ? NULL : stub_new(address);
	if (!place)
		return;
	stub_fill(&b->stubs[b->count], place, &site, bytes, address);
	j->at = stub_jump(j->bytes, &j->n, place, &site, address);
	b->places[b->count++] = place;
}

static bool batch_write_stubs(const struct batch *b, long memory)
{
	unsigned int first = 0;

	for (unsigned int i = 1; i <= b->count; i++) {
		if (i < b->count && b->places[i] == b->places[i - 1] + 1)
			continue;
		if (!poke(memory, (unsigned long)b->places[first],
			  &b->stubs[first], (i - first) * sizeof(struct stub)))
			return false;
		first = i;
	}
	return true;
}

/* All that is known of a file at once, where one thread runs alone: looked at
 * first, and then written. */
void patch_known(unsigned long trapped)
{
	unsigned long base, end;
	const struct known_sites *known = known_sites_due(trapped, &base, &end);
	struct batch b;
	long memory;

	if (!known)
		return;
	b.count = 0;
	for (unsigned int i = 0; i < known->count; i++) {
		unsigned long address = base + known->sites[i].offset;

		if (address + SITE_AHEAD <= end)
			batch_add(&b, &known->sites[i], address);
	}
	if (b.count == 0)
		return;
	memory = poke_begin();
	if (batch_write_stubs(&b, memory)) {
		for (unsigned int i = 0; i < b.count; i++)
			poke(memory, b.jumps[i].at, b.jumps[i].bytes,
			     b.jumps[i].n);
	}
	poke_end(memory);
}
