// SPDX-License-Identifier: Apache-2.0
/*
 * The gate: every syscall instruction of the engine, in one page.
 *
 * The program's calls come to gate_entry with the call's registers untouched
 * but rcx and r11, which a call destroys anyway; rcx points to a struct stub
 * that says where the call stands and where to go on. Nothing is written to
 * the program's stack: code may keep data below rsp, a child of vfork() shares
 * it, and a goroutine's may be nearly used up. The private stack is switched
 * to before anything else.
 *
 * A signal may come at any instruction, and its handler has to see the program
 * as if it stood before or behind its call, on its own stack. signals.c asks
 * where the signal met us:
 *
 *   entry .. entry_switched          nothing has happened: back to the site
 *   .. up to pass_begin, in C code   noted (T_PENDING) and delivered at the end
 *   pass_begin .. pass_syscall       the call is not begun: it is given up, the
 *   tail_begin .. tail_syscall       result is RESTART. So no signal that came
 *   app_begin .. app_syscall         before a call is slept over. The kernel's
 *                                    own restart leads to *_syscall as well.
 *   exit_begin .. exit_switched      back to exit_begin, which asks T_PENDING
 *   exit_switched .. exit_end        as if the jump were done
 *   unmask_after                     it came because finish_pending() let it
 *
 * A call of the engine's own (gate_call) is not given up: the signal is noted.
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
	"	mov %rsp, %gs:" VALUE(T_RSP) "\n"
	"	mov %gs:" VALUE(T_RECORD) ", %rsp\n"
	GLOBAL(gate_entry_switched)
	"	mov %rdi, 0(%rsp)\n"
	"	mov %rsi, 8(%rsp)\n"
	"	mov %rdx, 16(%rsp)\n"
	"	mov %r10, 24(%rsp)\n"
	"	mov %r8, 32(%rsp)\n"
	"	mov %r9, 40(%rsp)\n"
	"	mov %rax, 48(%rsp)\n"
	"	mov 48(%rcx), %r11\n"
	"	mov %r11, 56(%rsp)\n"
	"	mov 40(%rcx), %r11\n"
	"	mov %r11, 64(%rsp)\n"
	"	mov %gs:" VALUE(T_RSP) ", %r11\n"
	"	mov %r11, 72(%rsp)\n"
	"	cmp $512, %rax\n"
	"	jae gate_pass_begin\n"
	"	lea calls(%rip), %r11\n"
	"	cmpq $0, (%r11,%rax,8)\n"
	"	jne slow\n"
	GLOBAL(gate_pass_begin)
	"	cmpl $0, %gs:" VALUE(T_PENDING) "\n"
	"	jne gate_pass_interrupted\n"
	GLOBAL(gate_pass_syscall)
	"	syscall\n"
	GLOBAL(gate_exit_begin)
	"	cmpl $0, %gs:" VALUE(T_PENDING) "\n"
	"	jne exit_save\n"
	"	mov 64(%rsp), %rcx\n"
	"	mov 72(%rsp), %rsp\n"
	GLOBAL(gate_exit_switched)
	"	jmp *%rcx\n"
	GLOBAL(gate_exit_end)

	/* A call that C code looks at. */
	"slow:\n"
	"	mov %rbx, 80(%rsp)\n"
	"	mov %rbp, 88(%rsp)\n"
	"	mov %r12, 96(%rsp)\n"
	"	mov %r13, 104(%rsp)\n"
	"	mov %r14, 112(%rsp)\n"
	"	mov %r15, 120(%rsp)\n"
	"	movq $0, 136(%rsp)\n"
	"	mov %rsp, %rdi\n"
	"	cld\n"
	"	call hook\n"
	"	cmpq $0, 136(%rsp)\n"
	"	jne tail\n"
	"answered:\n"
	"	mov 0(%rsp), %rdi\n"
	"	mov 8(%rsp), %rsi\n"
	"	mov 16(%rsp), %rdx\n"
	"	mov 24(%rsp), %r10\n"
	"	mov 32(%rsp), %r8\n"
	"	mov 40(%rsp), %r9\n"
	"	jmp gate_exit_begin\n"

	/* A call that the hook left to us. */
	"tail:\n"
	"	mov 144(%rsp), %rax\n"
	"	mov 152(%rsp), %rdi\n"
	"	mov 160(%rsp), %rsi\n"
	"	mov 168(%rsp), %rdx\n"
	"	mov 176(%rsp), %r10\n"
	"	mov 184(%rsp), %r8\n"
	GLOBAL(gate_tail_begin)
	"	cmpl $0, %gs:" VALUE(T_PENDING) "\n"
	"	jne gate_tail_interrupted\n"
	GLOBAL(gate_tail_syscall)
	"	syscall\n"
	/* Mostly there is nothing to be asked: no error, and no link. */
	"	test %rax, %rax\n"
	"	js 1f\n"
	"	mov 192(%rsp), %rcx\n"
	"	test %rcx, %rcx\n"
	"	jz answered\n"
	GLOBAL(gate_mode_load)
	"	movzwl (%rcx), %ecx\n"
	"	and $0170000, %ecx\n"
	"	cmp $0120000, %ecx\n"
	"	jne answered\n"
	"1:	mov %rsp, %rdi\n"
	"	mov %rax, %rsi\n"
	"	call *136(%rsp)\n"
	"	jmp answered\n"
	GLOBAL(gate_mode_fault)
	"	mov $-14, %rax\n"
	"	jmp answered\n"
	GLOBAL(gate_tail_interrupted)
	"	mov $" VALUE(-512) ", %rax\n"
	"	jmp answered\n"

	GLOBAL(gate_pass_interrupted)
	"	mov $" VALUE(-512) ", %rax\n"
	"exit_save:\n"
	"	mov %rbx, 80(%rsp)\n"
	"	mov %rbp, 88(%rsp)\n"
	"	mov %r12, 96(%rsp)\n"
	"	mov %r13, 104(%rsp)\n"
	"	mov %r14, 112(%rsp)\n"
	"	mov %r15, 120(%rsp)\n"
	"exit_pending:\n"
	"	mov %rax, 128(%rsp)\n"
	"	mov %rsp, %rdi\n"
	"	cld\n"
	"	call finish_pending\n"
	"resume:\n"
	"	mov 80(%rsp), %rbx\n"
	"	mov 88(%rsp), %rbp\n"
	"	mov 96(%rsp), %r12\n"
	"	mov 104(%rsp), %r13\n"
	"	mov 112(%rsp), %r14\n"
	"	mov 120(%rsp), %r15\n"
	"	mov 0(%rsp), %rdi\n"
	"	mov 8(%rsp), %rsi\n"
	"	mov 16(%rsp), %rdx\n"
	"	mov 24(%rsp), %r10\n"
	"	mov 32(%rsp), %r8\n"
	"	mov 40(%rsp), %r9\n"
	"	mov 128(%rsp), %rax\n"
	"	jmp gate_exit_begin\n"

	GLOBAL(gate_ask)
	"	mov %rdi, %rsp\n"
	"	mov 80(%rsp), %rbx\n"
	"	mov 88(%rsp), %rbp\n"
	"	mov 96(%rsp), %r12\n"
	"	mov 104(%rsp), %r13\n"
	"	mov 112(%rsp), %r14\n"
	"	mov 120(%rsp), %r15\n"
	"	mov 0(%rsp), %rdi\n"
	"	mov 8(%rsp), %rsi\n"
	"	mov 16(%rsp), %rdx\n"
	"	mov 24(%rsp), %r10\n"
	"	mov 32(%rsp), %r8\n"
	"	mov 40(%rsp), %r9\n"
	"	mov 48(%rsp), %rax\n"
	"	jmp gate_pass_begin\n"

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

	GLOBAL(gate_restore)
	"	mov $15, %eax\n"
	"	syscall\n"
	/* The kernel compares the address behind the call. */
	"	nop\n"

	".text\n"
	GLOBAL(gate_start)
	"	mov %rdi, %rsp\n"
	"	mov %rsi, %rcx\n"
	"	xor %eax, %eax\n"
	"	xor %ebx, %ebx\n"
	"	xor %edx, %edx\n"	/* nothing to call at the end */
	"	xor %esi, %esi\n"
	"	xor %edi, %edi\n"
	"	xor %ebp, %ebp\n"
	"	xor %r8d, %r8d\n"
	"	xor %r9d, %r9d\n"
	"	xor %r10d, %r10d\n"
	"	xor %r11d, %r11d\n"
	"	xor %r12d, %r12d\n"
	"	xor %r13d, %r13d\n"
	"	xor %r14d, %r14d\n"
	"	xor %r15d, %r15d\n"
	"	jmp *%rcx\n"

	".globl _start\n"
	"_start:\n"
	"	mov %rsp, %rdi\n"
	"	lea first_block + " VALUE(FIRST_STACK) "(%rip), %rsp\n"
	"	xor %ebp, %ebp\n"
	"	call engine_main\n"
	"	hlt\n");
