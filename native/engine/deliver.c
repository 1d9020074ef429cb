// SPDX-License-Identifier: Apache-2.0
/*
 * Gives a signal to the program: a copy of the kernel's frame goes to the
 * stack where the program expects it, and the kernel's own frame, which lies
 * on the engine's signal stack, becomes the way into the program's handler.
 * One return from it changes stack, registers and mask at once.
 */
#include "gate.h"
#include "held.h"
#include "patch.h"
#include "signals.h"
#include "sys.h"
#include "text.h"

#define RED_ZONE 128
#define FLAG_TRAP (1UL << 8)
#define FLAG_DIRECTION (1UL << 10)
#define FLAG_RESUME (1UL << 16)
#define SS_ONSTACK 1
#define SI_FROM_KERNEL 0x80
#define SS_DISABLE 2
#define SS_AUTODISARM (1U << 31)

/* Bytes of what the kernel saved of the floating point state. */
static size_t float_state_size(const struct _fpstate *state)
{
	const struct _fpx_sw_bytes *sw = &state->sw_reserved;

	if (sw->magic1 == FP_XSTATE_MAGIC1 &&
	    sw->extended_size >= sizeof(*state) && sw->extended_size < 1 << 16)
		return sw->extended_size;
	return sizeof(*state);
}

static bool on_stack(const stack_t *s, unsigned long sp)
{
	return !((unsigned int)s->ss_flags & SS_AUTODISARM) &&
	       s->ss_size > 0 && sp > (unsigned long)s->ss_sp &&
	       sp - (unsigned long)s->ss_sp <= s->ss_size;
}

static void put_default(int sig)
{
	struct sigaction action = { 0 };

	SYS(__NR_rt_sigaction, sig, &action, 0, sizeof(set_t));
}

/*
 * By default it ends the program (or stops it): let the kernel do that. What
 * an instruction caused comes again by itself, but for what a filter said.
 */
static void by_default(int sig, struct signal_frame *f)
{
	/* Of others the kernel has it, or a handler that was set since. */
	if (OWN_SIGNALS & SIGBIT(sig))
		put_default(sig);
	f->uc.uc_sigmask &= ~SIGBIT(sig);
	if (f->info.si_code <= 0 || !(OWN_SIGNALS & SIGBIT(sig)) || sig == SIGSYS)
		SYS(__NR_rt_tgsigqueueinfo, SYS(__NR_getpid),
		    SYS(__NR_gettid), sig, &f->info);
}

/* Where the program's frame goes: the highest address of it. */
static unsigned long choose_stack(struct thread *t, const struct sigaction *a,
				  unsigned long sp)
{
	if ((a->sa_flags & SA_ONSTACK) && t->stack.ss_size > 0 &&
	    !(t->stack.ss_flags & SS_DISABLE) && !on_stack(&t->stack, sp))
		return (unsigned long)t->stack.ss_sp + t->stack.ss_size;
	return sp - RED_ZONE;
}

static bool put_frame(struct thread *t, const struct sigaction *a,
		      struct signal_frame *f, unsigned long *at)
{
	unsigned long top = choose_stack(t, a, f->uc.uc_mcontext.rsp), floats;
	struct _fpstate *state = f->uc.uc_mcontext.fpstate;
	size_t size = state ? float_state_size(state) : 0;
	struct signal_frame copy = *f;

	floats = (top - size) & ~63UL;
	*at = ((floats - sizeof(copy)) & ~15UL) - 8;
	copy.pretcode = (void *)a->sa_restorer;
	copy.uc.uc_mcontext.fpstate = state ? (void *)floats : NULL;
	copy.uc.uc_stack = t->stack;
	copy.uc.uc_sigmask |= t->own_blocked;
	if (state && copy_bytes((void *)floats, state, size) < 0)
		return false;
	return copy_bytes((void *)*at, &copy, sizeof(copy)) == 0;
}

/* force_sigsegv() of kernel/signal.c: the handler of SIGSEGV is told that there
 * is no room for another's frame, and the other is lost. */
static void no_room(struct thread *t, int sig, struct signal_frame *f,
		    set_t blocked)
{
	const struct sigaction *a = signal_action(t->sighand, SIGSEGV);

	if (sig == SIGSEGV || SIG_IS(a, SIG_DFL) || SIG_IS(a, SIG_IGN) ||
	    t->own_blocked & SIGBIT(SIGSEGV)) {
		put_default(SIGSEGV);
		SYS(__NR_tgkill, SYS(__NR_getpid), SYS(__NR_gettid), SIGSEGV);
		return;
	}
	memset(&f->info, 0, sizeof(f->info));
	f->info.si_signo = SIGSEGV;
	f->info.si_code = SI_FROM_KERNEL;
	deliver(t, SIGSEGV, f, blocked);
}

void deliver(struct thread *t, int sig, struct signal_frame *f, set_t blocked)
{
	struct sigaction *shared = &t->sighand->action[sig - 1], a;
	struct sigcontext *c = &f->uc.uc_mcontext;
	unsigned long at;

	sighand_lock(t->sighand);
	a = *shared;
	if ((a.sa_flags & SA_RESETHAND) && !SIG_IS(&a, SIG_IGN)) {
		shared->sa_handler = SIG_DFL;
		if (!(OWN_SIGNALS & SIGBIT(sig)))
			put_default(sig);
	}
	sighand_unlock(t->sighand);
	if (SIG_IS(&a, SIG_IGN) &&
	    (f->info.si_code <= 0 || !(OWN_SIGNALS & SIGBIT(sig))))
		return;
	/* What an instruction caused cannot be ignored or blocked. */
	if (SIG_IS(&a, SIG_IGN) || SIG_IS(&a, SIG_DFL) ||
	    (f->info.si_code > 0 && (t->own_blocked & SIGBIT(sig)))) {
		by_default(sig, f);
		return;
	}
	if (!put_frame(t, &a, f, &at)) {
		no_room(t, sig, f, blocked);
		return;
	}
	if ((unsigned int)t->stack.ss_flags & SS_AUTODISARM)
		t->stack = (stack_t){ NULL, SS_DISABLE, 0 };
	blocked |= a.sa_mask | (a.sa_flags & SA_NODEFER ? 0 : SIGBIT(sig));
	t->own_blocked = blocked & OWN_SIGNALS;
	f->uc.uc_sigmask = signals_unblocked(blocked);
	c->fpstate = NULL; /* a handler starts with a fresh state */
	c->rip = (unsigned long)a.sa_handler;
	c->rdi = (unsigned long)sig;
	c->rsi = at + offsetof(struct signal_frame, info);
	c->rdx = at + offsetof(struct signal_frame, uc);
	c->rax = 0;
	c->rsp = at;
	c->eflags &= ~(FLAG_TRAP | FLAG_DIRECTION | FLAG_RESUME);
}

long call_sigaltstack(struct record *r)
{
	struct thread *t = thread_self();
	const void *from = (const void *)r->rdi;
	bool inside = on_stack(&t->stack, r->rsp);
	stack_t new, old = t->stack;
	unsigned int mode;

	if (from && copy_bytes(&new, from, sizeof(new)) < 0)
		return -EFAULT;
	if (from) {
		mode = (unsigned int)new.ss_flags & ~SS_AUTODISARM;
		if (inside)
			return -EPERM;
		if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
			return -EINVAL;
		if (mode == SS_DISABLE) {
			new.ss_sp = NULL;
			new.ss_size = 0;
		} else if (new.ss_size < MINSIGSTKSZ) {
			return -ENOMEM;
		}
		t->stack = new;
	}
	if (!r->rsi)
		return 0;
	if (old.ss_size == 0)
		old.ss_flags = (int)(SS_DISABLE | ((unsigned int)old.ss_flags &
						   SS_AUTODISARM));
	else
		old.ss_flags = (int)((inside ? SS_ONSTACK : 0) |
				     ((unsigned int)old.ss_flags &
				      SS_AUTODISARM));
	return copy_bytes((void *)r->rsi, &old, sizeof(old));
}

long call_rt_sigreturn(struct record *r)
{
	struct thread *t = thread_self();
	/* A copy: the program's may be where nobody can write any more, and is
	 * needed again where a signal makes us begin anew. */
	struct signal_frame f;
	struct ucontext *uc = &f.uc;

	if (copy_bytes(uc, (void *)r->rsp, sizeof(*uc)) < 0)
		gate_sigreturn(r->rsp); /* the kernel has the answer to that */
	t->stack = uc->uc_stack;
	if (t->stack.ss_size == 0)
		t->stack.ss_flags = SS_DISABLE;
	t->own_blocked = uc->uc_sigmask & OWN_SIGNALS;
	uc->uc_stack = (stack_t){ t->signal_stack, 0, SIGNAL_STACK };
	uc->uc_sigmask = signals_unblocked(uc->uc_sigmask);
	patch_find_tail(&uc->uc_mcontext);
	if (held_ready(t)) {
		signals_block();
		t->deferred |= held_release(t);
	}
	gate_sigreturn((unsigned long)uc);
}
