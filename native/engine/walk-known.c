// SPDX-License-Identifier: Apache-2.0
/*
 * That a directory and all above it are no links, and that it is there where ".."
 * follows, is remembered for a moment (50 ms); what this process changes itself
 * makes it forget at once.
 */
#include "kept.h"
#include "paths.h"
#include "rules.h"
#include "sys.h"
#include "text.h"
#include "walk.h"

#define VERIFIED 256
#define VERIFIED_TICKS 48U	/* 50 ms */

/* A page of them, and no more. */
static struct { uint64_t key; uint32_t until, change; } verified[VERIFIED]
	__attribute__((aligned(4096))) LARGE;

void paths_changed(void)
{
	__atomic_add_fetch(&at_hand.walk_changed, 1, __ATOMIC_RELAXED);
}

static bool any_verified;

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0xff51afd7ed558ccdULL;
	return h ^ h >> 32;
}

/* By words, the last of which overlaps the one before. */
uint64_t walk_hash(const char *text, size_t n)
{
	uint64_t h = 0x9e3779b97f4a7c15ULL ^ n, word = 0;
	size_t i = 0;

	for (; i + sizeof(word) < n; i += sizeof(word)) {
		__builtin_memcpy(&word, text + i, sizeof(word));
		h = mix(h, word);
	}
	if (n >= sizeof(word))
		__builtin_memcpy(&word, text + n - sizeof(word), sizeof(word));
	else
		memcpy(&word, text, n);
	return mix(mix(h, word), 0);
}

/* The same location is another's by other rules. */
static uint64_t key_of(const char *location, size_t n)
{
	return walk_hash(location, n) ^
	       thread_self()->rules->changes * 0xc2b2ae3d27d4eb4fULL;
}

uint32_t walk_soon(void)
{
	return walk_now() + VERIFIED_TICKS;
}

/* That it is a directory, which ".." asks for, is another thing to be known. */
static uint64_t directory_key(const char *location, size_t n)
{
	return ~key_of(location, n);
}

/* A torn entry has a wrong key, or a right one and another's few ms. */
static uint32_t known_until(uint64_t key)
{
	unsigned int slot = key % VERIFIED;
	uint32_t until;

	/* A page that is read before it is written to costs twice. */
	if (!__atomic_load_n(&any_verified, __ATOMIC_RELAXED))
		return 0;
	/* One of two places: two names of one way that share a place would drive
	 * each other out at each step of each walk. */
	if (__atomic_load_n(&verified[slot].key, __ATOMIC_ACQUIRE) != key)
		slot ^= 1;
	until = verified[slot].until;
	return __atomic_load_n(&verified[slot].key, __ATOMIC_ACQUIRE) == key &&
	       verified[slot].change == walk_changes() && !walk_is_over(until) ?
		       until : 0;
}

uint32_t walk_verified_until(const char *location, size_t n)
{
	return known_until(key_of(location, n));
}

bool walk_is_directory(const char *location, size_t n)
{
	return known_until(directory_key(location, n)) != 0;
}

static void remember(uint64_t key)
{
	unsigned int slot = key % VERIFIED;

	if (!any_verified) {
		__atomic_store_n(&verified[slot].key, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&any_verified, true, __ATOMIC_RELAXED);
	}
	/* Its own place, or the one that was written earlier. */
	if (verified[slot].key != key &&
	    (verified[slot ^ 1].key == key ||
	     (int32_t)(verified[slot ^ 1].until - verified[slot].until) < 0))
		slot ^= 1;
	__atomic_store_n(&verified[slot].key, 0, __ATOMIC_RELEASE);
	verified[slot].until = walk_soon();
	verified[slot].change = walk_changes();
	__atomic_store_n(&verified[slot].key, key, __ATOMIC_RELEASE);
}

void walk_verified(const char *location, size_t n)
{
	remember(key_of(location, n));
}

void walk_directory(const char *location, size_t n)
{
	remember(directory_key(location, n));
}

#define __NR_openat2 437
#define RESOLVE_NO_SYMLINKS 4

bool walk_is_missing(const char *path, size_t parent, bool follow)
{
	/* Of <linux/openat2.h>. */
	const struct { uint64_t flags, mode, resolve; } how = {
		O_PATH | O_CLOEXEC, 0, RESOLVE_NO_SYMLINKS };
	uint64_t key = key_of(path, parent);
	char first;
	long result;

	if (known_until(key))
		return !follow ||
		       SYS(__NR_readlinkat, AT_FDCWD, path, &first, 1) <= 0;
	result = SYS(__NR_openat2, AT_FDCWD, path, &how, sizeof(how));
	if (result >= 0)
		SYS(__NR_close, result);
	if (result != -ENOENT)
		return false;
	/* Whichever name it is that is not there, those before are no links. */
	remember(key);
	return true;
}
