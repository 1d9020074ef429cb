// SPDX-License-Identifier: Apache-2.0
/*
 * The gate: every syscall instruction of the engine, in one page.
 *
 * The program's calls come to gate_entry with the call's registers untouched
 * but rcx and r11, which a call destroys anyway; rcx points to a struct stub
 * that says where the call stands and where to go on. Nothing is written to
 * the program's stack: code may keep data below rsp, a child of vfork() shares
 * it, and a goroutine's may be nearly used up. A call that C code looks at
 * switches to the private stack before anything else; one that nobody looks at
 * has no need of one.
 *
 * What a call costs is the lines of code that it takes, as the kernel's own
 * code drives them out: so the way of most calls is short, and goes on downwards.
 *
 * A signal may come at any instruction, and its handler has to see the program
 * as if it stood before or behind its call, on its own stack. signals.c asks
 * where the signal met us:
 *
 *   entry .. entry_switched          nothing has happened: back to the site. The
 *                                    kernel's restart of a call that nobody looks
 *                                    at leads to pass_syscall, and so there too
 *   pass_after .. pass_end           the program is as it is behind its call
 *   .. up to exit_begin, in C code   noted (T_PENDING) and delivered at the end
 *   tail_begin .. tail_syscall       the call is not begun: it is given up, the
 *   app_begin .. app_syscall         result is RESTART. So no signal that came
 *                                    before a call is slept over. The kernel's
 *                                    own restart leads to *_syscall as well.
 *   ask_begin .. ask_switched        likewise; up to ask_end as before the entry
 *   exit_begin .. exit_switched      back to exit_begin, which asks T_PENDING
 *   exit_switched .. exit_end        as if the jump were done
 *   unmask_after                     it came because finish_pending() let it
 *   restore_begin .. restore_syscall back to restore_begin, which asks T_AGAIN
 *
 * A call of the engine's own (gate_call) is not given up: the signal is noted.
 *
 * Nothing goes on behind a call with that address in rcx and the flags in r11, as the
 * kernel would have it: traps_swallowed() knows by them whom the kernel left there.
 */
#include "gate.h"
#include "sys.h"
#include "thread.h"

#define TEXT(x) #x
#define VALUE(x) TEXT(x)
#define GLOBAL(name) ".globl " #name "\n" #name ":\n"

__asm__(
	".section .gate,\"ax\",@progbits\n"
	".balign 64\n"
	GLOBAL(gate_entry)
	"	cmp $512, %rax\n"
	"	jae pass\n"
	"	lea calls(%rip), %r11\n"
	"	cmpq $0, (%r11,%rax,8)\n"
	"	jne slow\n"
	/* A call that nobody looks at: on the program's stack, with its registers. */
	"pass:	mov %rcx, %gs:" VALUE(T_STUB) "\n"
	"	mov %rax, %gs:" VALUE(T_NUMBER) "\n"
	GLOBAL(gate_pass_syscall)
	"	syscall\n"
	GLOBAL(gate_pass_after)
	"	mov %gs:" VALUE(T_STUB) ", %rcx\n"
	"	jmp *40(%rcx)\n"
	GLOBAL(gate_pass_end)

	/* A call that C code looks at: a struct record is pushed. */
	"slow:	mov %rsp, %gs:" VALUE(T_RSP) "\n"
	"	mov %gs:" VALUE(T_TOP) ", %rsp\n"
	GLOBAL(gate_entry_switched)
	"	push %r15\n"
	"	push %r14\n"
	"	push %r13\n"
	"	push %r12\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	pushq %gs:" VALUE(T_RSP) "\n"
	"	pushq 40(%rcx)\n"
	"	pushq 48(%rcx)\n"
	"	push %rax\n"
	"	push %r9\n"
	"	push %r8\n"
	"	push %r10\n"
	"	push %rdx\n"
	"	push %rsi\n"
	"	push %rdi\n"
	/* Nothing is left to us yet; what may be is the call as it is. */
	"	push $0\n"
	"	push $0\n"
	"	push %r8\n"
	"	push %r10\n"
	"	push %rdx\n"
	"	push %rsi\n"
	"	push %rdi\n"
	"	push %rax\n"
	"	mov at_hand(%rip), %rcx\n"
	"	mov (%rcx), %ecx\n"
	"	cmp %ecx, %gs:" VALUE(T_RULES_CHANGES) "\n"
	"	jne turn\n"
	"turned:	mov %rsp, %rdi\n"
	"	cld\n"
	"	call *(%r11,%rax,8)\n"
	"	cmpq $0, 56(%rsp)\n"
	"	je 1f\n"
	/* What the hook left to us. */
	"	pop %rax\n"
	"	pop %rdi\n"
	"	pop %rsi\n"
	"	pop %rdx\n"
	"	pop %r10\n"
	"	pop %r8\n"
	GLOBAL(gate_tail_begin)
	"	cmpl $0, %gs:" VALUE(T_PENDING) "\n"
	"	jne gate_tail_interrupted\n"
	GLOBAL(gate_tail_syscall)
	"	syscall\n"
	/* Mostly there is nothing to be asked: no error, and no link. */
	"	test %rax, %rax\n"
	"	js ask\n"
	"	mov (%rsp), %rcx\n"
	"	test %rcx, %rcx\n"
	"	jnz look\n"
	"answered:\n"
	"	add $16, %rsp\n"
	"	pop %rdi\n"
	"	pop %rsi\n"
	"	pop %rdx\n"
	"	pop %r10\n"
	"	pop %r8\n"
	"	pop %r9\n"
	/* rsp is where the number of the call is. */
	GLOBAL(gate_exit_begin)
	"	cmpl $0, %gs:" VALUE(T_PENDING) "\n"
	"	jne exit_save\n"
	"	mov 16(%rsp), %r11\n"
	"	mov 24(%rsp), %rsp\n"
	GLOBAL(gate_exit_switched)
	"	jmp *%r11\n"
	GLOBAL(gate_exit_end)
	"1:	add $48, %rsp\n"
	"	jmp answered\n"
	"look:\n"
	GLOBAL(gate_mode_load)
	"	movzwl (%rcx), %ecx\n"
	"	and $0170000, %ecx\n"
	"	cmp $0120000, %ecx\n"
	"	jne answered\n"
	"ask:	sub $48, %rsp\n"
	"	mov %rsp, %rdi\n"
	"	mov %rax, %rsi\n"
	"	call *56(%rsp)\n"
	"	jmp 1b\n"
	GLOBAL(gate_mode_fault)
	"	mov $-14, %rax\n"
	"	jmp answered\n"
	GLOBAL(gate_tail_interrupted)
	"	mov $" VALUE(-512) ", %rax\n"
	"	jmp answered\n"
	"turn:	mov %gs:" VALUE(T_SELF) ", %rdi\n"
	"	cld\n"
	"	call rules_turn\n"
	"	mov 112(%rsp), %rax\n"
	"	lea calls(%rip), %r11\n"
	"	jmp turned\n"

	"exit_save:\n"
	"	sub $112, %rsp\n"
	"	mov %rbx, 144(%rsp)\n"
	"	mov %rbp, 152(%rsp)\n"
	"	mov %r12, 160(%rsp)\n"
	"	mov %r13, 168(%rsp)\n"
	"	mov %r14, 176(%rsp)\n"
	"	mov %r15, 184(%rsp)\n"
	"exit_pending:\n"
	"	mov %rax, 192(%rsp)\n"
	"	mov %rsp, %rdi\n"
	"	cld\n"
	"	call finish_pending\n"
	"resume:\n"
	"	mov 144(%rsp), %rbx\n"
	"	mov 152(%rsp), %rbp\n"
	"	mov 160(%rsp), %r12\n"
	"	mov 168(%rsp), %r13\n"
	"	mov 176(%rsp), %r14\n"
	"	mov 184(%rsp), %r15\n"
	"	mov 192(%rsp), %rax\n"
	"	add $48, %rsp\n"
	"	jmp answered\n"

	GLOBAL(gate_ask)
	"	mov %rdi, %rsp\n"
	"	mov 144(%rsp), %rbx\n"
	"	mov 152(%rsp), %rbp\n"
	"	mov 160(%rsp), %r12\n"
	"	mov 168(%rsp), %r13\n"
	"	mov 176(%rsp), %r14\n"
	"	mov 184(%rsp), %r15\n"
	"	add $64, %rsp\n"
	"	pop %rdi\n"
	"	pop %rsi\n"
	"	pop %rdx\n"
	"	pop %r10\n"
	"	pop %r8\n"
	"	pop %r9\n"
	"	mov (%rsp), %rax\n"
	"	mov %gs:" VALUE(T_STUB) ", %rcx\n"
	GLOBAL(gate_ask_begin)
	"	cmpl $0, %gs:" VALUE(T_PENDING) "\n"
	"	jne gate_ask_interrupted\n"
	"	mov 24(%rsp), %rsp\n"
	GLOBAL(gate_ask_switched)
	"	jmp pass\n"
	GLOBAL(gate_ask_end)
	GLOBAL(gate_ask_interrupted)
	"	mov $" VALUE(-512) ", %rax\n"
	"	jmp gate_exit_begin\n"

	GLOBAL(gate_sigreturn)
	"	mov %gs:" VALUE(T_RECORD) ", %rsp\n"
	GLOBAL(gate_sigreturn_begin)
	"	cmpl $0, %gs:" VALUE(T_PENDING) "\n"
	"	jne gate_sigreturn_interrupted\n"
	"	mov %rdi, %rsp\n"
	"	mov $15, %eax\n"
	GLOBAL(gate_sigreturn_syscall)
	"	syscall\n"
	GLOBAL(gate_sigreturn_interrupted)
	"	mov $" VALUE(-512) ", %rax\n"
	"	jmp exit_pending\n"

	GLOBAL(gate_app)
	"	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	mov %rcx, %rdx\n"
	"	mov %r8, %r10\n"
	"	mov %r9, %r8\n"
	"	mov 8(%rsp), %r9\n"
	GLOBAL(gate_app_begin)
	"	cmpl $0, %gs:" VALUE(T_PENDING) "\n"
	"	jne gate_app_interrupted\n"
	GLOBAL(gate_app_syscall)
	"	syscall\n"
	"	ret\n"
	GLOBAL(gate_app_interrupted)
	"	mov $" VALUE(-512) ", %rax\n"
	"	ret\n"

	GLOBAL(gate_call)
	"	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	mov %rcx, %rdx\n"
	"	mov %r8, %r10\n"
	"	mov %r9, %r8\n"
	"	mov 8(%rsp), %r9\n"
	"	syscall\n"
	"	ret\n"

	GLOBAL(gate_unmask)
	"	mov %rdi, %rsi\n"
	"	mov $2, %edi\n"
	"	xor %edx, %edx\n"
	"	mov $8, %r10d\n"
	"	mov $14, %eax\n"
	"	syscall\n"
	GLOBAL(gate_unmask_after)
	"	ret\n"

	GLOBAL(gate_clone)
	"	mov %rcx, %r10\n"
	"	mov $56, %eax\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jnz 1f\n"
	"	test %r9, %r9\n"
	"	jz 1f\n"
	/* On a stack of its own, which is its record. */
	"	mov %r9, %rdi\n"
	"	call child_start\n"
	"	jmp resume\n"
	"1:	ret\n"

	GLOBAL(gate_exit)
	"	movl $0, (%rsi)\n"	/* from here on nothing of it is used */
	"	mov $60, %eax\n"
	"	syscall\n"
	"	hlt\n"

	"again:	mov %rsp, %rbx\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	cld\n"
	"	call held_return\n"
	"	mov %rbx, %rsp\n"
	"	jmp 1f\n"
	GLOBAL(gate_restore)
	GLOBAL(gate_restore_begin)
	"	cmpl $0, %gs:" VALUE(T_AGAIN) "\n"
	"	jne again\n"
	"1:	mov $15, %eax\n"
	GLOBAL(gate_restore_syscall)
	"	syscall\n"
	/* The kernel compares the address behind the call. */
	"	nop\n");
