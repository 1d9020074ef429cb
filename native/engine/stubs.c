// SPDX-License-Identifier: Apache-2.0
/* Stubs lie in arenas, each near enough to its sites for a jump. */
#include "gate.h"
#include "site.h"
#include "stubs.h"
#include "sys.h"
#include "text.h"

#define ARENA (16UL << 10)
#define ARENAS 128
#define STUBS (ARENA / sizeof(struct stub))
#define REACH ((1L << 31) - (1L << 20))
#define BREAKPOINT 0xcc

static struct arena {
	unsigned long start;
	unsigned int used;
} arenas[ARENAS];
static unsigned int arena_count;
/* Between stubs_begin() and stubs_end(): stubs are made there alone. */
static struct arena *written;

static bool near(unsigned long a, unsigned long b)
{
	long distance = (long)(a - b);

	return distance < REACH && distance > -REACH;
}

struct stub *stub_at(unsigned long address)
{
	unsigned int count = __atomic_load_n(&arena_count, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < count; i++) {
		if (address - arenas[i].start < ARENA)
			return (struct stub *)(address & ~63UL);
	}
	return NULL;
}

static unsigned long map_near(unsigned long site, int prot)
{
	/* Below first: what lies above may be a heap that has to grow. */
	for (unsigned long away = 1UL << 16; away < REACH; away *= 2) {
		unsigned long at = PAGE_DOWN(site) - away;
		long got;

		if (at > site || at < 1UL << 16)
			break;
		got = SYS(__NR_mmap, at, ARENA, prot,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			  -1, 0);
		if ((unsigned long)got == at)
			return at;
		/* A kernel that does not know the flag takes it as a hint. */
		if (!IS_ERROR(got) && near((unsigned long)got, site))
			return (unsigned long)got;
		if (!IS_ERROR(got))
			SYS(__NR_munmap, got, ARENA);
	}
	for (unsigned long away = 1UL << 28; away < REACH; away += 1UL << 27) {
		unsigned long at = PAGE_DOWN(site) + away;
		long got = SYS(__NR_mmap, at, ARENA, prot,
			       MAP_PRIVATE | MAP_ANONYMOUS |
			       MAP_FIXED_NOREPLACE, -1, 0);

		if ((unsigned long)got == at)
			return at;
		if (!IS_ERROR(got))
			SYS(__NR_munmap, got, ARENA);
	}
	return 0;
}

struct stub *stub_new(unsigned long site)
{
	struct arena *a;

	for (unsigned int i = 0; i < arena_count; i++) {
		a = &arenas[i];
		if (written && a != written)
			continue;
		if (a->used < STUBS && near(a->start, site) &&
		    near(a->start + ARENA, site))
			return (struct stub *)a->start + a->used++;
	}
	if (written || arena_count == ARENAS)
		return NULL;
	a = &arenas[arena_count];
	a->start = map_near(site, PROT_READ | PROT_EXEC);
	if (!a->start)
		return NULL;
	a->used = 1;
	__atomic_store_n(&arena_count, arena_count + 1, __ATOMIC_RELEASE);
	return (struct stub *)a->start;
}

unsigned long stub_jump(unsigned char *jump, size_t *n, const struct stub *place,
			const struct site *site, unsigned long address)
{
	unsigned long at = address;
	int32_t distance;

	*n = 5;
	if (site->form == SITE_BEFORE) {
		at = address - SITE_BACK + site->at;
		*n = site->size;
	}
	memset(jump, 0x90, SITE_JUMP);
	jump[0] = 0xe9;
	distance = (int32_t)((long)place - (long)(at + 5));
	memcpy(jump + 1, &distance, 4);
	return at;
}

bool stubs_begin(unsigned long site)
{
	struct arena *a = &arenas[arena_count];

	if (arena_count == ARENAS)
		return false;
	a->start = map_near(site, PROT_READ | PROT_WRITE);
	a->used = 0;
	if (!a->start)
		return false;
	arena_count++;
	written = a;
	return true;
}

bool stubs_end(void)
{
	struct arena *a = &arenas[arena_count - 1];

	written = NULL;
	if (SYS(__NR_mprotect, a->start, ARENA, PROT_READ | PROT_EXEC) == 0)
		return true;
	SYS(__NR_munmap, a->start, ARENA);
	arena_count--;
	return false;
}

void stub_fill(struct stub *s, const struct stub *place,
		      const struct site *site, const unsigned char *bytes,
		      unsigned long address)
{
	size_t at = 0;
	int32_t distance;
	unsigned long start = address - SITE_BACK;

	memset(s, BREAKPOINT, sizeof(*s));
	if (site->form == SITE_BEFORE) {
		memcpy(s->code, bytes + site->at, site->size);
		at = site->size;
	}
	/* lea stub(%rip), %rcx */
	memcpy(s->code + at, "\x48\x8d\x0d", 3);
	distance = -(int32_t)(at + 7);
	memcpy(s->code + at + 3, &distance, 4);
	/* jmp *entry(%rip) */
	memcpy(s->code + at + 7, "\xff\x25", 2);
	distance = (int32_t)(offsetof(struct stub, entry) - (at + 13));
	memcpy(s->code + at + 9, &distance, 4);
	at += 13;
	s->entry = (unsigned long)gate_entry;
	if (site->form == SITE_BEFORE) {
		s->site = start + site->at;
		s->ret = address + 2;
		return;
	}
	s->site = address;
	s->ret = (unsigned long)(place->code + at);
	memcpy(s->code + at, bytes + site->at, site->size);
	at += site->size;
	s->code[at] = 0xe9;
	distance = (int32_t)((long)(start + site->at + site->size) -
			     (long)(place->code + at + 5));
	memcpy(s->code + at + 1, &distance, 4);
}
