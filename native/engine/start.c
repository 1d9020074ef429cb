// SPDX-License-Identifier: Apache-2.0
/* Where the kernel starts the engine, and the engine the program: the stack is
 * changed, and nothing of the one is left in the registers of the other. */
#include "gate.h"
#include "sys.h"
#include "thread.h"

#define TEXT(x) #x
#define VALUE(x) TEXT(x)
#define GLOBAL(name) ".globl " #name "\n" #name ":\n"

__asm__(
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
