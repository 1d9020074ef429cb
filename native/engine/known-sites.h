/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites of the dynamic loader, the C library and the like, which each start uses,
 * passed on by execve().
 */
#ifndef TRANSHIP_ENGINE_KNOWN_SITES_H
#define TRANSHIP_ENGINE_KNOWN_SITES_H

#include "loader.h"

#define KNOWN_FILES 4
#define KNOWN_SITES 32	/* of each */
/* "--sites=", and for each file its number, and of each site a comma and an offset,
 * a comma and a check. */
#define KNOWN_SITES_WORD (8 + KNOWN_FILES * (21 + KNOWN_SITES * 22) + 1)

/* What is known of one file. */
struct known_sites {
	uint64_t file;
	unsigned int count;
	struct known_site {
		uint32_t offset, check;
	} sites[KNOWN_SITES];
};

/* known_sites_start() - what this start of the engine was told. */
void known_sites_start(const char *word);
/* known_sites_begin() - before the loader @p is mapped: true where sites of its
 * file are known; its code is then mapped to be written. known_sites_end() - they
 * become jumps, and the code executable. 0 or -errno. */
bool known_sites_begin(struct program *p);
long known_sites_end(struct program *p, const struct loaded *at);
/* known_sites_learn() - the site at @address is what its @bytes look like, as
 * site_find() has them, and may have become a jump. The lock of patch.c is held. */
void known_sites_learn(unsigned long address, const unsigned char *bytes,
		       bool jump);
/* known_sites_due() - a call at @address has trapped: what is known of its file,
 * where it is time to make jumps of all of it; *@base is what offsets are counted
 * from, and up to *@end. Else NULL. The lock of patch.c is held. */
const struct known_sites *known_sites_due(unsigned long address,
					  unsigned long *base, unsigned long *end);
/* known_site_is() - whether @bytes are what was found at @site. */
bool known_site_is(const struct known_site *site, const unsigned char *bytes);
/* known_sites_pass() - the word for the next start; false = there is none. */
bool known_sites_pass(char *to);
/* known_sites_wait() - whether there are sites of @file to be written, and nobody who
 * could execute it meanwhile. known_sites_write() - they become jumps in its code,
 * which lies from @from to @to, counted from @base, and is writable: false where that
 * is to be mapped anew, as it can be no code. The lock of patch.c is held. */
bool known_sites_wait(uint64_t file);
bool known_sites_write(uint64_t file, unsigned long base, unsigned long from,
		       unsigned long to);

#endif
