// SPDX-License-Identifier: Apache-2.0
#include "at-hand.h"
#include "kept.h"
#include "sys.h"
#include "text.h"
#include "thread.h"

#define ARCH_SET_GS 0x1001
#define HOOK_STACK (128UL << 10)
#define GUARD PAGE
/* Signal stack, guard, hook stack and the structure, guard. */
#define BLOCK PAGE_UP(SIGNAL_STACK + GUARD + HOOK_STACK + \
		      sizeof(struct thread) + GUARD)
/* The structure lies at the end, so that the record is where the stack ends. */
#define PLACE (BLOCK - GUARD - PAGE_UP(sizeof(struct thread)))

_Static_assert(offsetof(struct thread, self) == T_SELF, "gate.c");
_Static_assert(offsetof(struct thread, record) == T_RECORD, "gate.c");
_Static_assert(offsetof(struct thread, rsp) == T_RSP, "gate.c");
_Static_assert(offsetof(struct thread, pending) == T_PENDING, "gate.c");
_Static_assert(offsetof(struct thread, rules_changes) == T_RULES_CHANGES, "gate.c");
_Static_assert(offsetof(struct thread, top) == T_TOP, "gate.c");
_Static_assert(offsetof(struct thread, stub) == T_STUB, "gate.c");
_Static_assert(offsetof(struct thread, number) == T_NUMBER, "gate.c");
_Static_assert(offsetof(struct thread, again) == T_AGAIN, "gate.c");
_Static_assert(offsetof(struct record, mode) == 48, "gate.c");
_Static_assert(offsetof(struct record, after) == 56, "gate.c");
_Static_assert(offsetof(struct record, rdi) == 64, "gate.c");
_Static_assert(offsetof(struct record, nr) == 112, "gate.c");
_Static_assert(offsetof(struct record, rbx) == 144, "gate.c");
_Static_assert(offsetof(struct record, result) == 192, "gate.c");
_Static_assert(offsetof(struct stub, ret) == 40, "gate.c");
_Static_assert(offsetof(struct stub, site) == 48, "gate.c");
_Static_assert(offsetof(struct at_hand, rules_changes) == 0, "gate.c");
_Static_assert(sizeof(struct record) % 16 == 0, "stack alignment");
_Static_assert(sizeof(struct stub) == 64, "gate.c");
/* Below the record of the first thread, on its hook stack. */
_Static_assert(PLACE - 256 == FIRST_STACK, "thread.h");
_Static_assert(sizeof(struct record) <= 256, "thread.h");

bool many_threads;
char first_block[BLOCK] __attribute__((aligned(4096))) LARGE;
static struct thread *all;

/* The structure has its own pages above the hook stack; the record is the
 * first thing on that stack. */
static struct thread *prepare(char *block)
{
	struct thread *t = (struct thread *)(void *)(block + PLACE);

	t->self = t;
	t->signal_stack = block;
	t->record = (struct record *)(void *)(block + PLACE) - 1;
	t->top = &t->record->result;
	t->sighand = &t->own_sighand;
	t->in_use = 1;
	/* A page that is read before it is written to costs twice. */
	__atomic_store_n(&t->quick.last, NULL, __ATOMIC_RELAXED);
	return t;
}

/* Below the hook stack; and at the end, for a block may lie behind this one, and
 * begins with its signal stack. */
static void guard(char *block)
{
	SYS(__NR_mprotect, block + SIGNAL_STACK, GUARD, PROT_NONE);
	if (block != first_block)
		SYS(__NR_mprotect, block + BLOCK - GUARD, GUARD, PROT_NONE);
}

struct thread *thread_first(void)
{
	/* Likewise. */
	__atomic_store_n(&many_threads, false, __ATOMIC_RELAXED);
	if (!all) {
		guard(first_block);
		all = prepare(first_block);
	}
	return all;
}

struct thread *thread_all(void)
{
	return __atomic_load_n(&all, __ATOMIC_ACQUIRE);
}

static struct thread *reuse(void)
{
	struct thread *t = thread_all();

	for (; t; t = t->next) {
		unsigned int none = 0;

		if (__atomic_load_n(&t->in_use, __ATOMIC_RELAXED) == 0 &&
		    __atomic_compare_exchange_n(&t->in_use, &none, 1, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return t;
	}
	return NULL;
}

struct thread *thread_new(void)
{
	struct thread *t = reuse(), *head;
	long block;

	if (t) {
		t->pending = 0;
		t->deferred = 0;
		t->temporary = false;
		t->tid = 0;
		t->held.set = 0;
		t->waits_for = 0;
		/* Of a thread that may have had another root and directory. */
		t->working.n = 0;
		for (unsigned int i = 0; i < QUICK_PARENTS; i++)
			t->quick.parents[i].n = 0;
		t->quick.last = NULL;
		t->vfork_child = false;
		t->trace_me = false;
		t->exec_memory = NULL;
		t->sighand = &t->own_sighand;
		return t;
	}
	block = SYS(__NR_mmap, 0, BLOCK, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (IS_ERROR(block))
		return NULL;
	guard((char *)block);
	t = prepare((char *)block);
	head = __atomic_load_n(&all, __ATOMIC_RELAXED);
	do {
		t->next = head;
	} while (!__atomic_compare_exchange_n(&all, &head, t, false,
					      __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	return t;
}

void thread_attach(struct thread *t)
{
	stack_t stack = { t->signal_stack, 0, SIGNAL_STACK };

	SYS(__NR_arch_prctl, ARCH_SET_GS, t);
	SYS(__NR_sigaltstack, &stack, 0);
}

void thread_alone(struct thread *t)
{
	many_threads = false;
	for (struct thread *other = all; other; other = other->next) {
		if (other != t)
			other->in_use = 0;
	}
}
