/* SPDX-License-Identifier: Apache-2.0 */
/* Writing of code that may be running. The lock of patch.c is held. */
#ifndef TRANSHIP_ENGINE_POKE_H
#define TRANSHIP_ENGINE_POKE_H

#include "thread.h"

/* poke_begin() - what the others write through, until poke_end(); -errno where
 * there is no /proc: they then have another way. */
long poke_begin(void);
void poke_end(long memory);
/* poke() - where nobody is. */
bool poke(long memory, unsigned long at, const void *bytes, size_t n);
/* poke_site() - one instruction, or two of which nobody stands between. */
bool poke_site(long memory, unsigned long at, const unsigned char *bytes,
	       size_t n);

#endif
