// SPDX-License-Identifier: Apache-2.0
/*
 * New processes and threads. A child that shares memory (a thread, a child of
 * vfork()) gets a block of its own and begins on its hook stack, in the middle
 * of the same call as its parent; the program's stack is not touched. One that
 * has a copy of memory goes on with the copy of the block. Signals are blocked
 * until the child is what the engine expects of a thread.
 */
#include <linux/sched.h>

#include "dispatch.h"
#include "engine.h"
#include "exe.h"
#include "gate.h"
#include "held.h"
#include "loopback.h"
#include "patch.h"
#include "pending.h"
#include "places.h"
#include "root.h"
#include "rules.h"
#include "signals.h"
#include "sys.h"
#include "users.h"

/* After fork(): dispatch is off in the child, all else is there. */
static void forked(struct thread *t)
{
	thread_alone(t);
	t->vfork_child = false; /* but its own process */
	patch_forked();
	exe_forked();
	pending_forked(t);
	users_changed();
	dispatch_on();
}

static long clone_copy(struct record *r, unsigned long flags, long ptid,
		       long ctid, long tls)
{
	struct thread *t = thread_self();
	unsigned long stack = r->nr == __NR_clone ? r->rsi : 0;
	set_t mask;
	long pid;

	patch_lock();
	loopback_fork_begin();
	sighand_lock(t->sighand);
	mask = signals_block();
	if (t->pending) {
		pid = RESTART;
	} else {
		pid = gate_clone((long)flags, NULL, ptid, ctid, tls, NULL);
		if (pid == 0) {
			forked(t);
			if (stack)
				r->rsp = stack;
		}
		signals_set(mask);
	}
	sighand_unlock(t->sighand);
	loopback_fork_end();
	patch_unlock();
	return pid;
}

static void free_block(struct thread *t)
{
	__atomic_store_n(&t->in_use, 0, __ATOMIC_RELEASE);
}

static long clone_shared(struct record *r, unsigned long flags, long ptid,
			 long ctid, long tls)
{
	bool waits = flags & CLONE_VFORK;
	uint32_t directory = places_passed();
	struct thread *t = thread_self(), *child = thread_new();
	set_t mask;
	long pid;

	if (!child)
		return -EAGAIN;
	*child->record = *r;
	child->record->result = 0;
	if (r->nr == __NR_clone && r->rsi)
		child->record->rsp = r->rsi;
	if (flags & CLONE_SIGHAND)
		child->sighand = t->sighand;
	else
		sighand_copy(&child->own_sighand, t->sighand);
	/* As the kernel: a thread starts without one, a child of vfork with. */
	child->stack = waits ? t->stack : (stack_t){ NULL, 2, 0 };
	child->own_blocked = t->own_blocked;
	root_child(child, t, flags & CLONE_FS);
	users_child(child, t);
	child->filters = t->filters;
	thread_rules(child, t->rules);
	child->vfork_child = waits;
	if (!waits)
		many_threads = true;
	mask = signals_block();
	child->saved_mask = mask;
	if (t->pending) {
		free_block(child);
		return RESTART;
	}
	pid = gate_clone((long)flags, child->record, ptid, ctid, tls, child);
	/* A child of vfork() has a directory of its own, and our memory. */
	if (waits && !(flags & CLONE_FS))
		places_returned(directory);
	if (waits && child->exec_memory)
		SYS(__NR_munmap, child->exec_memory, child->exec_size);
	if (waits || pid < 0)
		free_block(child);
	signals_set(mask);
	return pid;
}

void child_start(struct thread *t)
{
	set_t mask = t->saved_mask;

	thread_attach(t);
	t->tid = (int)SYS(__NR_gettid);
	if (t->vfork_child)
		users_changed();
	dispatch_on();
	/* What the process had before there was this thread to be told of it. */
	t->pending = held_ready(t);
	signals_set(t->pending ? ~OWN_SIGNALS : mask);
}

static long start(struct record *r, unsigned long flags, long ptid, long ctid,
		  long tls)
{
	if (flags & CLONE_VM)
		return clone_shared(r, flags, ptid, ctid, tls);
	return clone_copy(r, flags, ptid, ctid, tls);
}

long call_clone(struct record *r)
{
	return start(r, r->rdi, (long)r->rdx, (long)r->r10, (long)r->r8);
}

long call_fork(struct record *r)
{
	return start(r, SIGCHLD, 0, 0, 0);
}

long call_vfork(struct record *r)
{
	return start(r, CLONE_VFORK | CLONE_VM | SIGCHLD, 0, 0, 0);
}

/* Every C library turns to clone() then, as old containers refuse it too. */
long call_clone3(struct record *r)
{
	(void)r;
	return -ENOSYS;
}

long call_exit(struct record *r)
{
	struct thread *t = thread_self();

	signals_block();
	/* One that came just before may be the process's: it would be lost. */
	if (t->pending)
		return RESTART;
	if (t->vfork_child) /* the parent waits, and frees the block */
		SYS(__NR_exit, r->rdi);
	held_ending(t);
	gate_exit((long)r->rdi, &t->in_use);
}
