/* SPDX-License-Identifier: Apache-2.0 */
/* The way from a path to a location: between paths.c and walk.c. */
#ifndef TRANSHIP_ENGINE_WALK_H
#define TRANSHIP_ENGINE_WALK_H

#include "paths.h"
#include "vdso.h"

#define NAME_BYTES 255

struct walk {
	char *done;		/* the location up to here; empty = the root */
	size_t n;
	char todo[2 * PATH_SIZE];
	bool touched;		/* a rule had to do with the way */
	bool slash;		/* behind the last name, maybe a link's */
	bool absent;		/* the host has nothing there, nor below */
	unsigned int links;
};

/* walk_on() - through all of `todo`. 0 or -errno. */
long walk_on(struct walk *w, enum path_last last);
/* walk_verified_until() - whether @location of @n bytes was found to be no link, a
 * moment ago and by these rules: until when that is believed, or 0. It holds
 * only as long as walk_changes() stays what it is, too. */
uint32_t walk_verified_until(const char *location, size_t n);
/* walk_verified() - that was found just now. walk_directory(), walk_is_directory() -
 * the same about a directory that ".." follows. */
void walk_verified(const char *location, size_t n);
void walk_directory(const char *location, size_t n);
bool walk_is_directory(const char *location, size_t n);
/* walk_is_missing() - whether @path, which the kernel has just not found, leads over
 * no link that a rule could be behind: the directory, its first @parent bytes, as
 * remembered, and with @follow the last name. One call tells both, where the kernel
 * has it; false where it is to be walked. */
bool walk_is_missing(const char *path, size_t parent, bool follow);
/* walk_hash() - a number for a text. */
uint64_t walk_hash(const char *text, size_t n);
/* walk_now() - the time of it, in 2^20 ns; walk_is_over() - whether it is past. */
static inline uint32_t walk_now(void)
{
	return (uint32_t)((uint64_t)vdso_coarse() >> 20);
}

static inline bool walk_is_over(uint32_t until)
{
	return (int32_t)(until - walk_now()) <= 0;
}

/* walk_soon() - until when what is seen now is believed. */
uint32_t walk_soon(void);
static inline unsigned int walk_changes(void)
{
	return __atomic_load_n(&at_hand.walk_changed, __ATOMIC_ACQUIRE);
}

#endif
