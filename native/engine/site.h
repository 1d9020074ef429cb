/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which bytes around a syscall instruction may give way to a jump: pure.
 *
 * Only one whole instruction is ever replaced in front of `syscall`, never
 * the syscall itself with it: who jumps straight to that still finds it, and
 * pays a trap. Where nothing in front fits, `syscall` goes together with the
 * comparison behind it.
 */
#ifndef TRANSHIP_ENGINE_SITE_H
#define TRANSHIP_ENGINE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum site_form {
	SITE_NONE,	/* stays on the trap for ever */
	SITE_BEFORE,	/* the instruction in front is replaced */
	SITE_OVER,	/* syscall and the comparison behind it are */
};

/* What the registers hold at the trap: a pattern in front must agree. */
struct site_registers {
	uint64_t rax, rdx, rsi, rdi, r8, r9, r10, r11;
	uint64_t stack[4];	/* what lies at rsp + 8, + 16, + 24, + 32 */
};

struct site {
	enum site_form form;
	/* Of the bytes given: the instruction that moves into the stub. */
	size_t at, size;
};

#define SITE_BACK 8	/* bytes in front of the syscall that are looked at */
#define SITE_AHEAD 8	/* from the syscall on */

/* site_find() - @bytes are SITE_BACK bytes, then the syscall instruction and
 * what follows, SITE_AHEAD in all. */
struct site site_find(const unsigned char *bytes,
		      const struct site_registers *r);

/* site_proven() - the same of bytes that another process has found so. */
struct site site_proven(const unsigned char *bytes);

/* site_jumped_into() - whether a jump or call in @code of @n bytes may lead
 * to the comparison behind the syscall at offset @at, which SITE_OVER destroys.
 * Says yes where in doubt: any byte may begin a jump. */
bool site_jumped_into(const unsigned char *code, size_t n, size_t at);

#endif
