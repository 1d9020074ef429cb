// SPDX-License-Identifier: Apache-2.0
/*
 * Sites of calls become jumps, one by one, when they are used.
 *
 * A site that trapped is looked at (site.c). What fits gets a stub, 64 bytes
 * near enough for a jump: the instruction that gave way, the address of the
 * stub in rcx, a jump into the gate. poke.c writes it.
 *
 * SITE_BEFORE replaces one instruction by one of the same size, at the second
 * trap; `syscall` stays, so a thread between the two traps once more and all is
 * well.
 * SITE_OVER destroys the instruction behind the call. No thread stands there:
 * whoever executes this syscall traps, and is led to the stub from here, as
 * the site was either patched at its first trap or is on the list of those
 * that never will be. A jump to there is looked for (site_jumped_into).
 */
#include "gate.h"
#include "kept.h"
#include "known-sites.h"
#include "patch.h"
#include "poke.h"
#include "site.h"
#include "stubs.h"
#include "sys.h"
#include "text.h"

#define NEVER 512
#define SEEN 128
#define TRAPS 3		/* so many before a site is patched */
#define TOLD 3		/* and before others are told of it */
#define AROUND 2048	/* searched for jumps on both sides of a site */

static unsigned int lock;
static unsigned int never_count;
static unsigned long seen[SEEN];
static unsigned char seen_times[SEEN];
static unsigned long never[NEVER] LARGE;

void patch_lock(void)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		__asm__ volatile("pause");
}

void patch_unlock(void)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static bool jumps_lead_in(unsigned long site)
{
	unsigned char code[2 * AROUND];
	unsigned long from = site - AROUND, to = site + AROUND;

	/* What is not there has no jumps; a page at a time. */
	if (copy_bytes(code, (void *)from, sizeof(code)) == 0)
		return site_jumped_into(code, sizeof(code), AROUND);
	if (PAGE_DOWN(from) != PAGE_DOWN(site))
		from = PAGE_DOWN(site);
	if (PAGE_DOWN(to) != PAGE_DOWN(site))
		to = PAGE_UP(site + SITE_AHEAD);
	if (copy_bytes(code, (void *)from, to - from) < 0)
		return true;
	return site_jumped_into(code, to - from, site - from);
}

bool patch_never(unsigned long site)
{
	for (unsigned int i = 0; i < never_count; i++) {
		if (never[i] == site)
			return true;
	}
	return never_count == NEVER;
}

/* Much of what a program does at its start it does once or twice, and a patch
 * costs as much as some traps. SITE_OVER cannot wait (see above). */
static unsigned int times_seen(unsigned long site)
{
	unsigned long i = (site * 0x9e3779b97f4a7c15UL) >> 57;

	if (seen[i] != site)
		seen_times[i] = 0;
	seen[i] = site;
	return ++seen_times[i];
}

static struct stub *patch_now(unsigned long address,
			      const unsigned char *bytes, struct site site)
{
	struct stub *place = stub_new(address), filled;
	unsigned char jump[SITE_JUMP];
	unsigned long at;
	size_t n;
	long memory;
	bool done;

	if (!place)
		return NULL;
	stub_fill(&filled, place, &site, bytes, address);
	at = stub_jump(jump, &n, place, &site, address);
	memory = poke_begin();
	done = poke(memory, (unsigned long)place, &filled, sizeof(filled)) &&
	       poke_site(memory, at, jump, n);
	poke_end(memory);
	return done ? place : NULL;
}

static struct stub *patched_by_another(const unsigned char *bytes,
				       unsigned long address)
{
	int32_t distance;
	struct stub *s;

	if (bytes[SITE_BACK] != 0xe9)
		return NULL;
	memcpy(&distance, bytes + SITE_BACK + 1, 4);
	s = stub_at(address + 5 + (unsigned long)(long)distance);
	return s && s->site == address ? s : NULL;
}

/* The instruction in front gave way before, and a thread came past it: what is
 * behind the call has to stay, as the stub leads there. */
static bool front_is_patched(const unsigned char *bytes, unsigned long address)
{
	for (size_t size = 5; size <= 7; size++) {
		const unsigned char *at = bytes + SITE_BACK - size;
		int32_t distance;
		struct stub *s;

		if (*at != 0xe9)
			continue;
		memcpy(&distance, at + 1, 4);
		s = stub_at(address - size + 5 + (unsigned long)(long)distance);
		if (s && s->ret == address + 2)
			return true;
	}
	return false;
}

static struct stub *patch_locked(unsigned long address,
				 const struct sigcontext *c)
{
	unsigned char bytes[SITE_BACK + SITE_AHEAD];
	struct site_registers r = { c->rax, c->rdx, c->rsi, c->rdi,
				    c->r8, c->r9, c->r10, c->r11, { 0 } };
	unsigned int times = TOLD;
	struct site site;
	struct stub *s;

	if (!many_threads)
		patch_known(address);
	if (copy_bytes(bytes, (void *)(address - SITE_BACK), sizeof(bytes)) < 0)
		return NULL;
	s = patched_by_another(bytes, address);
	/* Nobody comes back from there to use a jump, or to miss what gave way. */
	if (!s && c->rax == __NR_exit_group)
		return NULL;
	if (s || patch_never(address) || front_is_patched(bytes, address))
		return s;
	if (copy_bytes(r.stack, (void *)(c->rsp + 8), sizeof(r.stack)) < 0)
		return NULL;
	site = site_find(bytes, &r);
	if (site.form == SITE_OVER && jumps_lead_in(address))
		site.form = SITE_NONE;
	if (site.form == SITE_BEFORE)
		times = times_seen(address);
	if (site.form != SITE_NONE)
		known_sites_learn(address, bytes, times >= TOLD);
	if (times <= TRAPS && site.form == SITE_BEFORE)
		return NULL;
	if (site.form != SITE_NONE)
		s = patch_now(address, bytes, site);
	if (!s)
		never[never_count++] = address;
	return s;
}

struct stub *patch_site(unsigned long site, const struct sigcontext *c)
{
	struct stub *s;

	patch_lock();
	s = patch_locked(site, c);
	patch_unlock();
	return s;
}

bool patch_jumps(unsigned long at)
{
	unsigned char bytes[SITE_BACK + 5] = { 0 };
	bool jump;

	/* Whoever writes holds the lock. */
	patch_lock();
	jump = copy_bytes(bytes + SITE_BACK, (void *)at, 5) == 0 &&
	       patched_by_another(bytes, at);
	patch_unlock();
	return jump;
}

bool patch_in_progress(struct sigcontext *c)
{
	/* Else the breakpoint is the program's own. */
	if (!patch_jumps(c->rip - 1))
		return false;
	c->rip--;
	return true;
}

void patch_leave_stub(struct sigcontext *c)
{
	struct stub *s = stub_at(c->rip);

	/* The tail is a comparison that the program may well stand in front of:
	 * patch_show_site(). */
	if (s && !(s->ret - (unsigned long)s < sizeof(*s) && c->rip >= s->ret))
		c->rip = s->site;
}

void patch_show_site(struct sigcontext *c)
{
	struct stub *s = stub_at(c->rip);

	if (s && s->ret == c->rip)
		c->rip = s->site + 2;
}

void patch_find_tail(struct sigcontext *c)
{
	unsigned char bytes[SITE_BACK + 5] = { 0 };
	struct stub *s;

	if (copy_bytes(bytes + SITE_BACK, (void *)(c->rip - 2), 5) < 0)
		return;
	s = patched_by_another(bytes, c->rip - 2);
	if (s)
		c->rip = s->ret;
}
