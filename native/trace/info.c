// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "info.h"
#include "memory.h"
#include "without.h"

#define GET_SYSCALL_INFO 0x420e

static bool is_int80(const struct task *t, uint64_t ip)
{
	unsigned char code[2];

	return memory_read(t, ip - 2, code, 2) && code[0] == 0xcd &&
	       code[1] == 0x80;
}

static void put_args(struct syscall_info *info,
		     const struct user_regs_struct *r)
{
	const uint64_t i386[6] = { r->rbx, r->rcx, r->rdx, r->rsi, r->rdi,
				   r->rbp };
	const uint64_t amd64[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8,
				    r->r9 };

	for (int i = 0; i < 6; i++)
		info->args[i] = info->arch == AUDIT_ARCH_I386
					? (uint32_t)i386[i] : amd64[i];
}

bool info_by_regs(const struct task *t, struct syscall_info *info,
		  int64_t *result)
{
	struct user_regs_struct r;
	unsigned long data = 0;

	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &r) < 0)
		return false;
	info->arch = r.cs == 0x23 || is_int80(t, r.rip) ? AUDIT_ARCH_I386
							: AUDIT_ARCH_X86_64;
	info->ip = r.rip;
	info->nr = r.orig_rax;
	info->ret_data = FILTER_COOKIE;
	if (ptrace(PTRACE_GETEVENTMSG, t->pid, NULL, &data) == 0)
		info->ret_data = (uint32_t)data;
	put_args(info, &r);
	info->op = (long)r.rax == -ENOSYS && !t->in_call ? INFO_ENTRY
							 : INFO_EXIT;
	*result = (int64_t)r.rax;
	return true;
}

bool info_get(const struct task *t, struct syscall_info *info)
{
	static bool use_regs;
	int64_t result;

	if (!use_regs && !without.syscall_info) {
		if (ptrace((int)GET_SYSCALL_INFO, t->pid,
			   (void *)sizeof(*info), info) > 0)
			return true;
		if (errno != EIO && errno != EINVAL)
			return false;
		use_regs = true;
	}
	return info_by_regs(t, info, &result);
}

int32_t info_result(const struct task *t, bool *ok)
{
	long v;

	errno = 0;
	v = ptrace(PTRACE_PEEKUSER, t->pid,
		   (void *)offsetof(struct user_regs_struct, rax), NULL);
	*ok = v != -1 || errno == 0;
	/* A result that matters is a descriptor, a length or an errno. */
	return (int32_t)v;
}

void info_again(const struct task *t)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &r) < 0)
		return;
	/* syscall, sysenter as the kernel leaves it, int 0x80: two bytes. */
	r.rip -= 2;
	r.rax = t->begins_again ? t->skipped : r.orig_rax;
	ptrace(PTRACE_SETREGS, t->pid, NULL, &r);
}

bool info_skip(struct task *t)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &r) < 0)
		return false;
	t->skipped = r.orig_rax;
	r.orig_rax = (unsigned long long)-1;
	r.rax = (unsigned long long)-EINTR;
	return ptrace(PTRACE_SETREGS, t->pid, NULL, &r) == 0;
}

void info_set_result(const struct task *t, int64_t result)
{
	ptrace(PTRACE_POKEUSER, t->pid,
	       (void *)offsetof(struct user_regs_struct, rax),
	       (void *)(intptr_t)result);
}
