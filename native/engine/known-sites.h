/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites of the dynamic loader, which each start uses, passed on by execve().
 */
#ifndef TRANSHIP_ENGINE_KNOWN_SITES_H
#define TRANSHIP_ENGINE_KNOWN_SITES_H

#include "loader.h"

#define KNOWN_SITES 32
/* "--sites=", the file, and a comma and an offset for each. */
#define KNOWN_SITES_WORD (8 + 21 + KNOWN_SITES * 11 + 1)

/* known_sites_start() - what this start of the engine was told. */
void known_sites_start(const char *word);
/* known_sites_begin() - before the loader @p is mapped: true where sites of its
 * file are known; its code is then mapped to be written. known_sites_end() - they
 * become jumps, and the code executable. 0 or -errno. */
bool known_sites_begin(struct program *p);
long known_sites_end(struct program *p, const struct loaded *at);
/* known_sites_of() - from here on it is this loader's sites that are learned. */
void known_sites_of(uint64_t id, const struct loaded *at);
/* known_sites_learn() - the site at @address is what its bytes look like. The lock
 * of patch.c is held. */
void known_sites_learn(unsigned long address);
/* known_sites_pass() - the word for the next start; false = there is none. */
bool known_sites_pass(char *to);

#endif
