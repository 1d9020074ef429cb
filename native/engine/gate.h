/* SPDX-License-Identifier: Apache-2.0 */
/* The entries and labels of gate.c. */
#ifndef TRANSHIP_ENGINE_GATE_H
#define TRANSHIP_ENGINE_GATE_H

#include "thread.h"

/* Where the gate lies, in every start of every version: a seccomp filter that
 * was inherited names these addresses (dispatch.c). */
#define GATE_START 0x6f5400001000UL
#define GATE_SIZE 0x1000UL

/* Labels. What lies between them is told by gate.c. */
extern char gate_entry[], gate_pass_syscall[], gate_pass_after[],
	gate_pass_end[], gate_entry_switched[], gate_exit_begin[],
	gate_exit_switched[], gate_exit_end[], gate_app_begin[],
	gate_app_syscall[], gate_app_interrupted[], gate_tail_begin[],
	gate_tail_syscall[], gate_tail_interrupted[], gate_mode_load[],
	gate_mode_fault[], gate_sigreturn_begin[],
	gate_sigreturn_syscall[], gate_sigreturn_interrupted[],
	gate_ask_begin[], gate_ask_switched[], gate_ask_end[],
	gate_ask_interrupted[], gate_unmask_after[], gate_restore_begin[],
	gate_restore_syscall[], gate_copy_begin[], gate_copy_end[],
	gate_copy_fault[], engine_text_start[], engine_text_end[];

/* in_engine() - @ip is in the gate or in C code of the engine. */
static inline bool in_engine(unsigned long ip)
{
	return ip - GATE_START < GATE_SIZE ||
	       (ip >= (unsigned long)engine_text_start &&
		ip < (unsigned long)engine_text_end);
}

/* gate_app() - the program's own call: RESTART where a signal came first. */
long gate_app(long nr, long a, long b, long c, long d, long e, long f);
/* gate_unmask() - rt_sigprocmask(SIG_SETMASK); see gate_unmask_after. */
void gate_unmask(const set_t *mask);
/* gate_sigreturn() - restores the frame at @rsp - 8; does not return. */
_Noreturn void gate_sigreturn(unsigned long rsp);
/* gate_ask() - the call of @r, the one that is answered now, as the program asked it:
 * the kernel answers, and its filters are asked. Its thread's `stub` says where the
 * program goes on. */
_Noreturn void gate_ask(struct record *r);
/* gate_restore() - what our own signal frames return to. */
void gate_restore(void);
/* gate_clone() - clone(2). With a @stack, which is the record of @child, the
 * new thread goes on there by child_start(); without, both return. */
long gate_clone(long flags, void *stack, long ptid, long ctid, long tls,
		struct thread *child);
/* gate_exit() - frees the block of this thread and ends it. */
_Noreturn void gate_exit(long status, unsigned int *in_use);
/* gate_start() - jumps into the program with its first stack. */
_Noreturn void gate_start(unsigned long rsp, unsigned long entry);

/* Copies from or to the program's memory: 0, or -EFAULT. */
long copy_bytes(void *to, const void *from, size_t n);
/* copy_text() - a text of up to @size - 1 bytes: its length, -EFAULT, or
 * -ENAMETOOLONG. */
long copy_text(char *to, const char *from, size_t size);

/* copy_name() - what stands at @from behind the @n bytes at @text, where it is one
 * name: its length. 0 or less: something else, or what takes more to be read.
 * Up to 248 bytes are written. */
long copy_name(char *to, const char *from, const char *text, size_t n);

/* Called by the gate. */
void finish_pending(struct record *r);
void child_start(struct thread *t);
void engine_main(unsigned long *stack);

#define CALLS 512

#endif
