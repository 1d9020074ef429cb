// SPDX-License-Identifier: Apache-2.0
/*
 * The seccomp filter: a binary search over the ranges of call numbers that
 * are looked at, one tree for each ABI. Only plain loads, comparisons and
 * returns are used: for such a filter the kernel works out once which calls
 * are always allowed, and these then cost nothing.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls.h"

#define NR_END 512
#define X32_BIT 0x40000000U
#define I386_SOCKETCALL 102
#define PROGRAM_MAX 1024
/* Not WAIT_KILLABLE_RECV: the task would be woken once more for each call, and
 * could not be taken out of its wait (notice.c). */
#define NOTIFY_FLAGS \
	(SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_NEW_LISTENER)
#define TRACE_IT (SECCOMP_RET_TRACE | FILTER_COOKIE)

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned n;
};

enum leaf {
	LEAF_ALLOW, LEAF_TRACE, LEAF_SOCKETCALL, LEAF_NOTIFY,
	LEAF_OPEN,	/* and the argument that holds the flags of open() */
};

static void emit(struct program *p, uint16_t code, uint32_t k)
{
	if (p->n < PROGRAM_MAX)
		p->code[p->n] = (struct sock_filter){ code, 0, 0, k };
	p->n++;
}

static void emit_jump(struct program *p, uint16_t code, uint32_t k,
		      unsigned jt, unsigned jf)
{
	emit(p, (uint16_t)(BPF_JMP | code | BPF_K), k);
	p->code[p->n - 1].jt = (unsigned char)jt;
	p->code[p->n - 1].jf = (unsigned char)jf;
}

static void emit_open(struct program *p, unsigned flags)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS,
	     (uint32_t)(offsetof(struct seccomp_data, args) + 8UL * flags));
	emit_jump(p, BPF_JSET, OPEN_CHANGES, 1, 0);
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	emit(p, BPF_RET | BPF_K, TRACE_IT);
}

static void emit_leaf(struct program *p, unsigned leaf)
{
	if (leaf >= LEAF_OPEN) {
		emit_open(p, leaf - LEAF_OPEN);
		return;
	}
	if (leaf == LEAF_NOTIFY) {
		emit(p, BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
		return;
	}
	if (leaf == LEAF_SOCKETCALL) {
		emit(p, BPF_LD | BPF_W | BPF_ABS,
		     offsetof(struct seccomp_data, args));
		emit_jump(p, BPF_JGE, 5, 1, 0);
		emit_jump(p, BPF_JGE, 2, 1, 0); /* bind, connect, listen */
		emit(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		emit(p, BPF_RET | BPF_K, TRACE_IT);
		return;
	}
	emit(p, BPF_RET | BPF_K,
	     leaf == LEAF_TRACE ? TRACE_IT : SECCOMP_RET_ALLOW);
}

struct ranges {
	uint16_t from[NR_END];
	unsigned char leaf[NR_END];
	unsigned n;
};

static unsigned leaf_of(bool i386, unsigned nr, bool notify)
{
	static const uint64_t nothing[6];
	const struct call *c = calls_find(i386, nr);

	if (!c)
		return LEAF_ALLOW;
	if (i386 && nr == I386_SOCKETCALL)
		return LEAF_SOCKETCALL;
	if (!notify || !calls_notified(c, nothing))
		return LEAF_TRACE;
	return c->kind == KIND_OPEN ? LEAF_OPEN + (unsigned)c->flags
				    : LEAF_NOTIFY;
}

static void find_ranges(struct ranges *r, bool i386, bool notify)
{
	r->n = 0;
	for (unsigned nr = 0; nr <= NR_END; nr++) {
		unsigned leaf = leaf_of(i386, nr, notify);

		if (r->n > 0 && r->leaf[r->n - 1] == leaf)
			continue;
		r->from[r->n] = (uint16_t)nr;
		r->leaf[r->n++] = (unsigned char)leaf;
	}
}

static void emit_tree(struct program *p, const struct ranges *r, unsigned lo,
		      unsigned hi)
{
	unsigned mid = (lo + hi) / 2, at;

	if (hi - lo == 1) {
		emit_leaf(p, r->leaf[lo]);
		return;
	}
	at = p->n;
	emit_jump(p, BPF_JGE, r->from[mid], 0, 0);
	emit_tree(p, r, lo, mid);
	/* A tree of this table has far less than 256 instructions a side. */
	p->code[at].jt = (unsigned char)(p->n - at - 1);
	emit_tree(p, r, mid, hi);
}

int filter_install(bool notify)
{
	static struct program p;
	static struct ranges r;
	struct sock_fprog prog;
	unsigned at;

	p.n = 0;
	emit(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	emit_jump(&p, BPF_JEQ, AUDIT_ARCH_I386, 0, 1);
	emit(&p, BPF_JMP | BPF_JA, 0);
	at = p.n;
	emit_jump(&p, BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
	emit(&p, BPF_RET | BPF_K, SECCOMP_RET_TRACE | FILTER_COOKIE_X32);
	emit(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	emit_jump(&p, BPF_JGE, X32_BIT, 0, 3);
	emit_jump(&p, BPF_JEQ, 0xffffffff, 1, 0);
	emit(&p, BPF_RET | BPF_K, SECCOMP_RET_TRACE | FILTER_COOKIE_X32);
	emit(&p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	find_ranges(&r, false, notify);
	emit_tree(&p, &r, 0, r.n);
	p.code[at - 1].k = p.n - at;
	emit(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	find_ranges(&r, true, notify);
	emit_tree(&p, &r, 0, r.n);
	if (p.n > PROGRAM_MAX) {
		errno = E2BIG;
		return -1;
	}
	prog = (struct sock_fprog){ (unsigned short)p.n, p.code };
	if (notify)
		return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				    NOTIFY_FLAGS, &prog);
	/* SPEC_ALLOW: or older kernels slow the program down by a mitigation. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}
