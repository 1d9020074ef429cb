// SPDX-License-Identifier: Apache-2.0
/*
 * Signals. The kernel knows one handler, signal_entry(), for every signal
 * that the program handles, on a stack of the engine's. It looks where the
 * signal met the thread (gate.c has the table). Outside of the engine it
 * builds the program's frame and goes there (deliver.c). Inside, the signal is
 * sent to the thread once more, blocked, and comes again when the hook ends:
 * finish_pending() lets it through at gate_unmask_after, and what the program
 * then sees is the state before or behind its call. So the program never meets
 * a frame of the engine's, and hooks never run inside one another.
 */
#include "filters.h"
#include "gate.h"
#include "held.h"
#include "patch.h"
#include "signals.h"
#include "sys.h"
#include "traps.h"
#include "vsyscall.h"
#include "waits.h"

#define FAULTS (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS))

static void set_default(int sig)
{
	struct sigaction action = { 0 };

	SYS(__NR_rt_sigaction, sig, &action, 0, sizeof(set_t));
}

/* The hook's end looks at what waits; until then all is blocked. */
static void note(struct thread *t, struct signal_frame *f)
{
	if (!t->pending)
		t->saved_mask = f->uc.uc_sigmask;
	t->pending = 1;
	f->uc.uc_sigmask = ~OWN_SIGNALS;
}

static void defer(struct thread *t, int sig, struct signal_frame *f)
{
	SYS(__NR_rt_tgsigqueueinfo, SYS(__NR_getpid), SYS(__NR_gettid), sig,
	    &f->info);
	t->deferred |= SIGBIT(sig);
	note(t, f);
}

static bool between(unsigned long ip, const char *from, const char *to)
{
	return ip >= (unsigned long)from && ip < (unsigned long)to;
}

/* To where the call can be done again. The vsyscall page is called: what it returns
 * to still lies below the stack pointer. */
static void go_back(struct sigcontext *c, unsigned long site)
{
	c->rip = site;
	if (vsyscall_number(site) >= 0)
		c->rsp -= 8;
}

/* The program's registers as of its call, @r, into the frame. */
static void compose(struct sigcontext *c, const struct record *r)
{
	bool again = r->result == RESTART;

	c->rdi = r->rdi;
	c->rsi = r->rsi;
	c->rdx = r->rdx;
	c->r10 = r->r10;
	c->r8 = r->r8;
	c->r9 = r->r9;
	c->rbx = r->rbx;
	c->rbp = r->rbp;
	c->r12 = r->r12;
	c->r13 = r->r13;
	c->r14 = r->r14;
	c->r15 = r->r15;
	c->rsp = r->rsp;
	c->rip = r->ret;
	if (again)
		go_back(c, r->site);
	c->rax = again ? r->nr : (unsigned long)r->result;
	c->rcx = c->rip;
	c->r11 = c->rip; /* not the flags: traps_swallowed() */
}

/* Where the signal met the thread; true where it has to wait. */
static bool met_inside(struct thread *t, struct sigcontext *c)
{
	unsigned long ip = c->rip;

	if (between(ip, gate_pass_after, gate_pass_end)) {
		c->rip = t->stub->ret;
		return false;
	}
	if (between(ip, gate_entry, gate_entry_switched) ||
	    between(ip, gate_ask_switched, gate_ask_end)) {
		/* The kernel may have come back to it, and rcx is lost then. */
		go_back(c, (ip == (unsigned long)gate_pass_syscall ?
			    t->stub : (struct stub *)c->rcx)->site);
		return false;
	}
	if (between(ip, gate_exit_switched, gate_exit_end)) {
		c->rip = c->r11;
		return false;
	}
	if (!in_engine(ip)) {
		patch_leave_stub(c);
		return false;
	}
	if (between(ip, gate_app_begin, gate_app_syscall + 1))
		c->rip = (unsigned long)gate_app_interrupted;
	else if (between(ip, gate_tail_begin, gate_tail_syscall + 1))
		c->rip = (unsigned long)gate_tail_interrupted;
	else if (between(ip, gate_ask_begin, gate_ask_switched))
		c->rip = (unsigned long)gate_ask_interrupted;
	else if (between(ip, gate_exit_begin, gate_exit_switched))
		c->rip = (unsigned long)gate_exit_begin;
	else if (between(ip, gate_sigreturn_begin,
			 gate_sigreturn_syscall + 1)) {
		c->rsp = (unsigned long)t->record;
		c->rip = (unsigned long)gate_sigreturn_interrupted;
	}
	return true;
}

/*
 * One of the engine's signals that somebody sent; true where nothing is left to
 * do now. See held.c.
 */
static bool sent(struct thread *t, int sig, struct signal_frame *f)
{
	struct sigcontext *c = &f->uc.uc_mcontext;
	unsigned long ip;
	bool inside;

	/* In signal_entry() itself: it comes again when that returns. */
	if (in_signal_entry(t, c)) {
		held_again(t, sig, &f->info);
		if (between(c->rip, gate_restore_begin, gate_restore_syscall + 1))
			c->rip = (unsigned long)gate_restore_begin;
		return true;
	}
	waits_interrupt(t, sig, &f->info, c);
	ip = c->rip;
	if (ip == (unsigned long)gate_unmask_after)
		return !held_arrived(t, sig, &f->info, false);
	inside = met_inside(t, c);
	if (held_arrived(t, sig, &f->info, inside))
		return false;
	waits_go_on(t, c, ip);
	if (inside)
		note(t, f);
	return true;
}

/* The kernel blocks what it delivers, and what follows may meet bad pointers. */
static void open_faults(void)
{
	set_t faults = FAULTS;

	SYS(__NR_rt_sigprocmask, SIG_UNBLOCK, &faults, 0, sizeof(faults));
}

void signal_entry(int sig, siginfo_t *info, void *context)
{
	struct signal_frame *f = (struct signal_frame *)
		(void *)((char *)context - offsetof(struct signal_frame, uc));
	struct sigcontext *c = &f->uc.uc_mcontext;
	struct thread *t = thread_self();
	set_t blocked = f->uc.uc_sigmask;

	if (sig == SIGSYS && info->si_code == SYS_SECCOMP_CODE &&
	    filters_trapped(t, f)) {
		deliver(t, sig, f, blocked | t->own_blocked);
		return;
	}
	if (info->si_code > 0 && traps_answer(t, sig, info, c)) {
		held_missed(t, sig);
		return;
	}
	if ((FAULTS & SIGBIT(sig)) && !in_signal_entry(t, c))
		open_faults();
	if (info->si_code <= 0 || !(OWN_SIGNALS & SIGBIT(sig)))
		traps_swallowed(t, sig, c);
	if (info->si_code <= 0 && (OWN_SIGNALS & SIGBIT(sig)) &&
	    sent(t, sig, f))
		return;
	blocked |= t->own_blocked;
	if (c->rip == (unsigned long)gate_unmask_after) {
		compose(c, t->record);
		blocked = t->temporary ? t->temporary_mask :
			t->saved_mask | t->own_blocked;
		f->uc.uc_sigmask = t->saved_mask;
		t->temporary = false;
		t->deferred = 0;
		t->pending = 0;
	} else if (met_inside(t, c)) {
		if (info->si_code > 0 && (OWN_SIGNALS & SIGBIT(sig))) {
			set_default(sig); /* a defect of ours: die of it */
			return;
		}
		defer(t, sig, f);
		return;
	}
	patch_show_site(c);
	deliver(t, sig, f, blocked);
}

void finish_pending(struct record *r)
{
	struct thread *t = thread_self();

	/* From here on one mask follows the other with nothing in between, or
	 * a signal of the engine's would save the wrong one. */
	signals_block();
	for (;;) {
		t->deferred |= held_release(t);
		if (t->deferred) {
			set_t mask = ~OWN_SIGNALS & ~t->deferred;

			gate_unmask(&mask);
			/* Still here: a new disposition took it away. */
			signals_block();
			t->deferred = 0;
			continue;
		}
		if (!t->temporary)
			break;
		t->temporary = false;
	}
	t->pending = 0;
	if (r->result == RESTART) {
		r->result = (long)r->nr;
		r->ret = r->site;
		if (vsyscall_number(r->site) >= 0)
			r->rsp -= 8;
	}
	signals_set(t->saved_mask);
}
