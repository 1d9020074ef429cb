// SPDX-License-Identifier: Apache-2.0
/*
 * hardened WAY PROGRAM [ARGUMENTS]: a host that forbids code that was written.
 *   mdwe     PR_SET_MDWE: what is not executable never becomes so
 *   execmem  as SELinux without execmem and execmod: no memory of no file is
 *            executable, and nothing becomes so
 *   old      a filter of a container that knows no call of Linux 5.1 and later, and
 *            answers each by EPERM
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, what)
#define ARGUMENT(i) offsetof(struct seccomp_data, args[i])
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define HAS(bits, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, yes, no)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

static int forbid_execmem(void)
{
	struct sock_filter code[] = {
		LOAD(offsetof(struct seccomp_data, nr)),
		IS(SYS_mprotect, 3, 0),
		IS(SYS_mmap, 0, 5),
		LOAD(ARGUMENT(3)),
		HAS(MAP_ANONYMOUS, 0, 3),
		LOAD(ARGUMENT(2)),
		HAS(PROT_EXEC, 0, 1),
		RETURN(SECCOMP_RET_ERRNO | EACCES),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int know_old_calls(void)
{
	struct sock_filter code[] = {
		LOAD(offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 424, 0, 1),
		RETURN(SECCOMP_RET_ERRNO | EPERM),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	int failed = strcmp(argv[1], "mdwe") == 0
		? prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
		: strcmp(argv[1], "old") == 0 ? know_old_calls()
		: forbid_execmem();

	if (failed) {
		perror(argv[1]);
		return 77;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
