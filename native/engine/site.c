// SPDX-License-Identifier: Apache-2.0
#include "site.h"
#include "text.h"

#define JUMP 5	/* bytes of a jump with a 32-bit distance */

static uint32_t u32(const unsigned char *p)
{
	uint32_t v;

	__builtin_memcpy(&v, p, 4);
	return v;
}

struct front {
	size_t size;		/* 0 = no such instruction */
	bool agrees;		/* the register holds what it would have put there */
};

/* `mov $imm32, %reg` of five bytes (b8+reg), six (41 b8+reg) or seven
 * (48 c7 c0, sign extended) that ends at @end. */
static struct front mov_number(const unsigned char *end,
			       const struct site_registers *r)
{
	const unsigned char *op = end - 5;
	uint32_t number = u32(op + 1);

	if (end[-7] == 0x48 && end[-6] == 0xc7 && end[-5] == 0xc0)
		return (struct front){ 7, r->rax == (uint64_t)(int64_t)(int32_t)
							u32(end - 4) };
	if (op[-1] == 0x41) {
		uint64_t held = op[0] == 0xb8 ? r->r8 :
				op[0] == 0xb9 ? r->r9 : r->r10;

		return (struct front){ op[0] >= 0xb8 && op[0] <= 0xba ? 6 : 0,
				       held == number };
	}
	/* Any other prefix of this kind makes another instruction of it. */
	if ((op[-1] & 0xf0) == 0x40)
		return (struct front){ 0, false };
	switch (op[0]) {
	case 0xb8:
		return (struct front){ 5, r->rax == number };
	case 0xba:
		return (struct front){ 5, r->rdx == number };
	case 0xbe:
		return (struct front){ 5, r->rsi == number };
	case 0xbf:
		return (struct front){ 5, r->rdi == number };
	default:
		return (struct front){ 0, false };
	}
}

/* `mov N(%rsp), %r9` and `mov %r11, N(%rsp)` as in syscall(2) of C libraries. */
static struct front mov_stack(const unsigned char *end,
			      const struct site_registers *r)
{
	const unsigned char *op = end - 5;
	unsigned slot = op[4] / 8;

	if (op[0] != 0x4c || op[3] != 0x24 || op[4] % 8 || slot < 1 || slot > 4)
		return (struct front){ 0, false };
	if (op[1] == 0x8b && op[2] == 0x4c)
		return (struct front){ 5, r->r9 == r->stack[slot - 1] };
	if (op[1] == 0x89 && op[2] == 0x5c)
		return (struct front){ 5, r->r11 == r->stack[slot - 1] };
	return (struct front){ 0, false };
}

static struct site find(const unsigned char *bytes,
			const struct site_registers *r, bool proven)
{
	const unsigned char *syscall = bytes + SITE_BACK;
	struct site none = { SITE_NONE, 0, 0 };
	struct front front;

	if (syscall[0] != 0x0f || syscall[1] != 0x05)
		return none;
	front = mov_number(syscall, r);
	if (front.size == 0)
		front = mov_stack(syscall, r);
	/*
	 * The bytes alone say which form a site has, the registers only whether
	 * it may be used: a site is never of one form now and of another later,
	 * when calls that began before are still on their way back.
	 */
	if (front.size >= JUMP)
		return proven || front.agrees ? (struct site){ SITE_BEFORE,
			SITE_BACK - front.size, front.size } : none;
	/* 48 3d imm32: cmp $imm32, %rax */
	if (syscall[2] == 0x48 && syscall[3] == 0x3d)
		return (struct site){ SITE_OVER, SITE_BACK + 2, 6 };
	return none;
}

struct site site_find(const unsigned char *bytes,
		      const struct site_registers *r)
{
	return find(bytes, r, false);
}

struct site site_proven(const unsigned char *bytes)
{
	const struct site_registers none = { 0 };

	return find(bytes, &none, true);
}

/* Whether a jump, or call, whose distance is the four bytes behind @i ends its
 * operation code there. */
static bool is_long_jump(const unsigned char *code, size_t i)
{
	/* e8, e9: behind one byte; 0f 80 to 0f 8f: behind two. */
	return code[i] == 0xe8 || code[i] == 0xe9 ||
	       (i > 0 && code[i - 1] == 0x0f && (code[i] & 0xf0) == 0x80);
}

static bool is_short_jump(unsigned char op)
{
	return (op >= 0x70 && op <= 0x7f) || op == 0xeb ||
	       (op >= 0xe0 && op <= 0xe3);
}

bool site_jumped_into(const unsigned char *code, size_t n, size_t at)
{
	/* Jumps lead to where instructions begin: to the comparison, or to the
	 * call itself, where the jump to the stub stands. */
	const size_t comparison = at + 2;

	/* A distance is looked at before its instruction: hardly any fits. */
	for (size_t i = 0; i + 5 <= n; i++) {
		if (u32(code + i + 1) == (uint32_t)(comparison - (i + 5)) &&
		    is_long_jump(code, i))
			return true;
	}
	for (size_t i = at > 128 ? at - 128 : 0; i + 2 <= n && i < at + 130;
	     i++) {
		/* NOLINTNEXTLINE(bugprone-signed-char-misuse,cert-str34-c): back, too */
		int64_t distance = (signed char)code[i + 1];

		if ((int64_t)(i + 2) + distance == (int64_t)comparison &&
		    is_short_jump(code[i]))
			return true;
	}
	return false;
}
