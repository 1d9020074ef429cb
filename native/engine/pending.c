// SPDX-License-Identifier: Apache-2.0
/*
 * Of SIGSYS, SIGSEGV, SIGBUS and SIGTRAP what is kept for the program, as struct
 * sigpending of the kernel: one of each for a thread and for the process. held.c
 * says when.
 */
#include "pending.h"
#include "signals.h"
#include "sys.h"
#include "text.h"

#define KINDS 4

/* In which they are taken: that of their numbers. */
static const int order[KINDS] = { SIGTRAP, SIGBUS, SIGSEGV, SIGSYS };

struct held pending_process;
static unsigned int lock;

set_t pending_lock(void)
{
	set_t old = signals_block();

	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		__asm__ volatile("pause");
	return old;
}

void pending_unlock(set_t old)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	signals_set(old);
}

static siginfo_t *place(struct held *h, int sig)
{
	switch (sig) {
	case SIGTRAP:
		return &h->info[0];
	case SIGBUS:
		return &h->info[1];
	case SIGSEGV:
		return &h->info[2];
	default:
		return &h->info[3];
	}
}

void pending_put(struct held *h, int sig, const siginfo_t *info)
{
	if (h->set & SIGBIT(sig))
		return; /* as the kernel: one of each */
	*place(h, sig) = *info;
	__atomic_fetch_or(&h->set, SIGBIT(sig), __ATOMIC_SEQ_CST);
}

int pending_take(struct held *h, set_t set, siginfo_t *info)
{
	for (unsigned int i = 0; i < KINDS; i++) {
		if (!(h->set & set & SIGBIT(order[i])))
			continue;
		*info = *place(h, order[i]);
		__atomic_fetch_and(&h->set, ~SIGBIT(order[i]),
				   __ATOMIC_SEQ_CST);
		return order[i];
	}
	return 0;
}

int pending_take_any(struct thread *t, set_t set, siginfo_t *info)
{
	int sig = pending_take(&t->held, set, info);

	return sig || t->vfork_child ? sig :
		pending_take(&pending_process, set, info);
}

set_t pending_of(struct thread *t)
{
	set_t own = __atomic_load_n(&t->held.set, __ATOMIC_SEQ_CST);

	return t->vfork_child ? own :
		own | __atomic_load_n(&pending_process.set, __ATOMIC_SEQ_CST);
}

static void forget(struct held *h, int sig)
{
	__atomic_fetch_and(&h->set, ~SIGBIT(sig), __ATOMIC_SEQ_CST);
}

void pending_forget(struct thread *t, int sig)
{
	set_t old = pending_lock();

	forget(&t->held, sig);
	/* A child of vfork() has dispositions of its own. */
	if (!t->vfork_child) {
		for (struct thread *o = thread_all(); o; o = o->next)
			forget(&o->held, sig);
		forget(&pending_process, sig);
	}
	pending_unlock(old);
}

void pending_forked(struct thread *t)
{
	t->held.set = 0;
	t->tid = (int)SYS(__NR_gettid);
	pending_process.set = 0;
	lock = 0;
}
