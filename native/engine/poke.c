// SPDX-License-Identifier: Apache-2.0
/*
 * Code is written through /proc/self/mem, which needs no page that is writable and
 * executable at once, and gives no other thread a moment without its code.
 *
 * With several threads the first byte becomes a breakpoint, then the rest is
 * written, then the first byte, with all processors in step between. A thread
 * that meets the breakpoint tries again until it is gone (patch_in_progress()).
 */
#include "gate.h"
#include "patch.h"
#include "poke.h"
#include "stubs.h"
#include "sys.h"
#include "text.h"

#define BREAKPOINT 0xcc
#define MEMBARRIER_SYNC_CORE (1 << 5)
#define MEMBARRIER_REGISTER_SYNC_CORE (1 << 6)

static bool registered;

void patch_forked(void)
{
	registered = false;
}

long poke_begin(void)
{
	return SYS(__NR_openat, AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC,
		   0);
}

void poke_end(long memory)
{
	if (memory >= 0)
		SYS(__NR_close, memory);
}

/* Without /proc: the page is writable for a moment. */
static bool poke_mapped(unsigned long at, const void *bytes, size_t n)
{
	unsigned long page = PAGE_DOWN(at), size = PAGE_UP(at + n) - page;

	if (SYS(__NR_mprotect, page, size,
		PROT_READ | PROT_WRITE | PROT_EXEC) < 0)
		return false;
	memcpy((void *)at, bytes, n);
	SYS(__NR_mprotect, page, size, PROT_READ | PROT_EXEC);
	return true;
}

bool poke(long memory, unsigned long at, const void *bytes, size_t n)
{
	if (memory >= 0 &&
	    SYS(__NR_pwrite64, memory, bytes, n, at) == (long)n)
		return true;
	return poke_mapped(at, bytes, n);
}

static bool in_step(void)
{
	if (!registered) {
		if (SYS(__NR_membarrier, MEMBARRIER_REGISTER_SYNC_CORE, 0) < 0)
			return false;
		registered = true;
	}
	return SYS(__NR_membarrier, MEMBARRIER_SYNC_CORE, 0) == 0;
}

bool poke_site(long memory, unsigned long at, const unsigned char *bytes,
	       size_t n)
{
	static const unsigned char breakpoint = BREAKPOINT;

	if (!many_threads)
		return poke(memory, at, bytes, n);
	if (memory < 0 || !in_step())
		return false;
	if (!poke(memory, at, &breakpoint, 1))
		return false;
	in_step();
	poke(memory, at + 1, bytes + 1, n - 1);
	in_step();
	poke(memory, at, bytes, 1);
	return true;
}

bool patch_possible(void)
{
	static const unsigned char nothing = BREAKPOINT;
	struct stub *place = stub_new((unsigned long)gate_entry);
	long memory = poke_begin();
	bool done = place && poke(memory, (unsigned long)place, &nothing, 1);

	poke_end(memory);
	return done;
}
