// SPDX-License-Identifier: Apache-2.0
/* Classic BPF as seccomp_check_filter() lets it through (kernel/seccomp.c), run
 * as net/core/filter.c has it. Pure. */
#include "filter-run.h"
#include "text.h"

struct machine {
	uint32_t a, x, memory[BPF_MEMWORDS];
};

static bool calculate(struct machine *m, uint16_t code, uint32_t by)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		m->a += by;
		return true;
	case BPF_SUB:
		m->a -= by;
		return true;
	case BPF_MUL:
		m->a *= by;
		return true;
	case BPF_DIV:
		if (by == 0)
			return false;
		m->a /= by;
		return true;
	case BPF_AND:
		m->a &= by;
		return true;
	case BPF_OR:
		m->a |= by;
		return true;
	case BPF_XOR:
		m->a ^= by;
		return true;
	case BPF_LSH:
		m->a <<= by & 31;
		return true;
	case BPF_RSH:
		m->a >>= by & 31;
		return true;
	case BPF_NEG:
		m->a = -m->a;
		return true;
	default:
		return false;
	}
}

static bool holds(const struct machine *m, uint16_t code, uint32_t other)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return m->a == other;
	case BPF_JGT:
		return m->a > other;
	case BPF_JGE:
		return m->a >= other;
	default:
		return m->a & other;	/* BPF_JSET */
	}
}

static bool take(uint16_t code, uint32_t k, const struct machine *m,
		 const struct seccomp_data *data, uint32_t *to)
{
	switch (BPF_MODE(code)) {
	case BPF_IMM:
		*to = k;
		return true;
	case BPF_LEN:
		*to = sizeof(*data);
		return true;
	case BPF_MEM:
		*to = m->memory[k % BPF_MEMWORDS];
		return true;
	case BPF_ABS:
		if (k > sizeof(*data) - 4)
			return false;
		memcpy(to, (const char *)data + k, 4);
		return true;
	default:
		return false;
	}
}

unsigned int filter_run(const struct sock_filter *code, unsigned int count,
			const struct seccomp_data *data)
{
	struct machine m = { 0 };

	/* Jumps lead forward alone. */
	for (uint64_t at = 0; at < count; at++) {
		const struct sock_filter *f = &code[at];
		uint32_t by = BPF_SRC(f->code) == BPF_X ? m.x : f->k;

		switch (BPF_CLASS(f->code)) {
		case BPF_RET:
			return BPF_RVAL(f->code) == BPF_A ? m.a : f->k;
		case BPF_LD:
			if (!take(f->code, f->k, &m, data, &m.a))
				return SECCOMP_RET_KILL_THREAD;
			break;
		case BPF_LDX:
			if (!take(f->code, f->k, &m, data, &m.x))
				return SECCOMP_RET_KILL_THREAD;
			break;
		case BPF_ST:
			m.memory[f->k % BPF_MEMWORDS] = m.a;
			break;
		case BPF_STX:
			m.memory[f->k % BPF_MEMWORDS] = m.x;
			break;
		case BPF_ALU:
			if (!calculate(&m, f->code, by))
				return SECCOMP_RET_KILL_THREAD;
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				at += f->k;
			else
				at += holds(&m, f->code, by) ? f->jt : f->jf;
			break;
		default:	/* BPF_MISC: TAX, TXA */
			if (BPF_MISCOP(f->code) == BPF_TXA)
				m.a = m.x;
			else
				m.x = m.a;
			break;
		}
	}
	return SECCOMP_RET_KILL_THREAD;
}
