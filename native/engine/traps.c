// SPDX-License-Identifier: Apache-2.0
/*
 * Signals that an instruction caused and that are the engine's: a call that is not
 * a jump (yet) goes into the gate as one that is; a bad pointer of the program's
 * ends the copy that met it; a jump that is being written is waited for.
 */
#include <linux/audit.h>

#include "engine.h"
#include "gate.h"
#include "patch.h"
#include "sys.h"
#include "traps.h"
#include "vsyscall.h"

#define SYS_DISPATCH_CODE 2
#define FLAGS_OF_STEPS (1UL << 8 | 1UL << 16)	/* TF and RF: a debugger's */

/* A call was trapped: go into the gate as a patched site would. */
static void trap(struct thread *t, struct sigcontext *c, unsigned long nr)
{
	struct stub *stub = patch_site(c->rip - 2, c);

	if (!stub) {
		stub = &t->trapped;
		stub->ret = c->rip;
		stub->site = c->rip - 2;
	}
	c->rax = nr;
	c->rcx = (unsigned long)stub;
	c->rip = (unsigned long)gate_entry;
}

/* Of what was called at @site. A signal may meet the thread before the gate has the
 * call: then it has to be called again, there. */
static void trap_vsyscall(struct thread *t, struct sigcontext *c,
			  unsigned long site, long nr)
{
	t->trapped.ret = c->rip;
	t->trapped.site = site;
	c->rax = (unsigned long)nr;
	c->rcx = (unsigned long)&t->trapped;
	c->rip = (unsigned long)gate_entry;
}

static bool is_trap(const siginfo_t *info)
{
	return info->si_code == SYS_DISPATCH_CODE ||
	       (info->si_code == SYS_SECCOMP_CODE && engine.traps_by_seccomp);
}

bool traps_answer(struct thread *t, int sig, const siginfo_t *info,
		  struct sigcontext *c)
{
	unsigned long site;
	long nr;

	if (sig == SIGSYS && info->si_code == SYS_SECCOMP_CODE) {
		site = (unsigned long)info->si_call_addr;
		nr = vsyscall_number(site);
		if (nr >= 0) {
			trap_vsyscall(t, c, site, nr);
			return true;
		}
	}
	if (sig == SIGSYS && is_trap(info)) {
		/* By `int $0x80`: the numbers are those of the other processor, and
		 * the same ones are other calls here. */
		if (info->si_arch != AUDIT_ARCH_X86_64)
			c->rax = (unsigned long)-ENOSYS;
		else
			trap(t, c, c->rax);
		return true;
	}
	if (sig == SIGTRAP)
		return patch_in_progress(c);
	if (sig != SIGSEGV && sig != SIGBUS)
		return false;
	if (c->rip >= (unsigned long)gate_copy_begin &&
	    c->rip < (unsigned long)gate_copy_end) {
		c->rip = (unsigned long)gate_copy_fault;
		return true;
	}
	if (c->rip == (unsigned long)gate_mode_load) {
		c->rip = (unsigned long)gate_mode_fault;
		return true;
	}
	site = c->rip;
	nr = vsyscall_number(site);
	if (sig == SIGSEGV && nr >= 0) {
		unsigned long ret;

		if (copy_bytes(&ret, (void *)c->rsp, sizeof(ret)) < 0)
			return false;
		c->rip = ret;
		c->rsp += 8;
		trap_vsyscall(t, c, site, nr);
		return true;
	}
	return false;
}

/* A `syscall` was executed there: rcx and r11 alone may have that by chance, as rcx
 * has the address of a stub where the same call is made again and again. */
static bool behind_call(const struct sigcontext *c)
{
	unsigned char bytes[2] = { 0 };

	if (c->rcx != c->rip || ((c->r11 ^ c->eflags) & ~FLAGS_OF_STEPS) != 0)
		return false;
	if (copy_bytes(bytes, (void *)(c->rip - 2), sizeof(bytes)) < 0)
		return false;
	/* Another thread may have made a jump of it since. */
	return (bytes[0] == 0x0f && bytes[1] == 0x05) ||
	       patch_jumps(c->rip - 2);
}

/*
 * Of each of the engine's signals one can wait for a thread. Where somebody's SIGSYS
 * does as the thread makes a call, the kernel drops the trap's (legacy_queue() of
 * kernel/signal.c), and the other meets the thread behind a call that nobody made, its
 * number where the result should be. `syscall` leaves the address behind it in rcx and
 * the flags in r11, and only it does: see gate.c. (Processors with FRED keep both.)
 * What else waits may be told first, so each signal asks. Somebody's SIGTRAP drops that
 * of a breakpoint in the same way, and meets the thread inside of a jump.
 * A fault comes again by itself. What is sent to the process waits elsewhere, and
 * is behind the trap. A call by the vsyscall page leaves no such sign, and where the
 * trap's is there first, it is the other that the kernel drops: both stay so.
 */
void traps_swallowed(struct thread *t, int sig, struct sigcontext *c)
{
	/* There is none of ours, and the thread may hold the lock of patches. */
	if (in_engine(c->rip))
		return;
	if (sig == SIGTRAP)
		patch_in_progress(c);
	if (behind_call(c))
		trap(t, c, c->rax);
}
