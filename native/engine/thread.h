/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine keeps for a thread: the stack that its hooks run on, the
 * stack that signals come on, and what the kernel would know of it. Found
 * through the GS base, which 64-bit programs leave alone.
 */
#ifndef TRANSHIP_ENGINE_THREAD_H
#define TRANSHIP_ENGINE_THREAD_H

#include "ids.h"
#include "quick.h"
#include "sys.h"

/* Offsets for gate.c; held against the structures in thread.c. */
#define T_SELF 0
#define T_RECORD 8
#define T_RSP 16
#define T_PENDING 24
#define T_RULES_CHANGES 28
#define T_TOP 40
#define T_STUB 48
#define T_NUMBER 56
#define T_AGAIN 64

/* Below this, a call of the program is answered by "do it again". */
#define RESTART (-512L)

/* A call that a hook leaves to the gate: the program's own, but for what the hook
 * changes. `after` is asked where it fails, and where `mode` points to the mode of a
 * link. */
struct record;
typedef long after_fn(struct record *r, long result);
struct later {
	unsigned long nr, a, b, c, d, e;
};

/* A call in progress. Lies on top of the hook stack; the gate pushes it. */
struct record {
	struct later later;	/* 0 to 40 */
	const void *mode;	/* 48 */
	after_fn *after;	/* 56: NULL = the hook has answered */
	/* What the program's registers were. */
	unsigned long rdi, rsi, rdx, r10, r8, r9;	/* 64 to 104 */
	unsigned long nr;	/* 112 */
	unsigned long site;	/* 120: where the call can be done again */
	unsigned long ret;	/* 128: where the program goes on */
	unsigned long rsp;	/* 136 */
	unsigned long rbx, rbp, r12, r13, r14, r15;	/* 144 to 184 */
	long result;		/* 192 */
	unsigned long pad;
};

/* The end of a way into the gate; see patch.c. rcx points to it there. */
struct stub {
	unsigned char code[32];
	unsigned long entry;	/* 32 */
	unsigned long ret;	/* 40 */
	unsigned long site;	/* 48 */
	unsigned long spare;
};

#define SIGNALS 64

/* Dispositions as the program set them. One table for all that share it. */
struct sighand {
	unsigned int lock;
	set_t known;	/* of these `action` is right: the kernel was asked, or
			 * told. Most programs ask for few. */
	struct sigaction action[SIGNALS];
};

/* Of the engine's signals, those that were sent and wait, and what is told of
 * each: see pending.h. */
struct held {
	set_t set;
	siginfo_t info[4];
};

/* A root that chroot() set: see root.h. Two places, as one may be read. */
struct root {
	unsigned int which;
	char location[2][4096];
};

struct rules;
struct filter;

/* The location of the directory that the thread is in, see locations.c. */
struct working {
	unsigned int change, moves;
	uint32_t until;
	unsigned short n;	/* bytes of it with the end; 0 = not known */
	const struct rules *rules;
	char location[480];
};

struct thread {
	struct thread *self;
	struct record *record;
	unsigned long rsp;
	unsigned int pending;	/* a signal waits for the end of the hook */
	uint32_t rules_changes;	/* of `rules` */
	const struct rules *rules;	/* that answer its call */
	void *top;	/* where the gate pushes a record */
	struct stub *stub;	/* by which the last call that nobody looked at came, */
	unsigned long number;	/* and which */
	unsigned int again;	/* the signals that met signal_entry() */
	unsigned int in_use;
	struct thread *next;
	bool vfork_child;	/* its block belongs to the parent */
	bool trace_me;		/* it asked for that, and will be: exec.c */
	void *exec_memory;	/* of an execve() in a child of vfork() */
	unsigned long exec_size;
	set_t saved_mask;	/* the program's, while all is blocked */
	set_t deferred;		/* the signals that wait */
	bool temporary;		/* sigsuspend() and its like: */
	set_t temporary_mask;	/* the mask while they wait */
	int tid;
	struct held held;
	set_t waits_for;	/* of the engine's, in rt_sigtimedwait() */
	set_t own_blocked;	/* of the engine's signals, those that the
				 * program believes to be blocked */
	stack_t stack;		/* sigaltstack() as the program set it */
	void *signal_stack;	/* the one that the kernel has */
	struct sighand *sighand;
	struct sighand own_sighand;
	struct root *root;	/* NULL = that of the process */
	struct ids ids;		/* by the view of users, see users.h */
	const struct filter *filters;	/* its own, the newest first: filters.h */
	struct working working;
	struct stub trapped;	/* for a call that came by a trap */
	/* What is large comes last: each page that is touched costs a start. */
	struct quick quick __attribute__((aligned(64)));
	struct root own_root;
};

#define SIGNAL_STACK (48UL << 10)
#define FIRST_STACK 184064	/* of the first block: what the start runs on */
extern char first_block[];

/* More than one thread runs in this memory, or once did. */
extern bool many_threads;

static inline struct thread *thread_self(void)
{
	struct thread *t;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(t));
	return t;
}

/* thread_first() - the main thread's block; it is there from the start. */
struct thread *thread_first(void);
/* thread_all() - the list of blocks, free ones too; none is ever taken out. */
struct thread *thread_all(void);
/* thread_new() - a free block; NULL without memory. Not yet told to the kernel. */
struct thread *thread_new(void);
/* thread_attach() - GS base and signal stack of the calling thread. */
void thread_attach(struct thread *t);
/* thread_alone() - after fork(): no other thread lives in this memory. */
void thread_alone(struct thread *t);

#endif
