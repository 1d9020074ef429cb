// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "attach.h"
#include "die.h"
#include "without.h"

#define O_EXITKILL 0x100000
#define O_SECCOMP 0x80

/* Before SEIZE a task is attached by a SIGSTOP, and its options set then. */
static bool attach_stopped(pid_t pid, long options, bool every)
{
	int status;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0)
		return false;
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return false;
	if (!WIFSTOPPED(status))
		return false;
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options) < 0) {
		options &= ~(long)O_EXITKILL;
		if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options) < 0)
			return false;
	}
	return ptrace(every ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL, NULL) ==
	       0;
}

static bool seize(pid_t pid, long options)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)options) == 0)
		return true;
	options &= ~(long)O_EXITKILL;
	return errno == EINVAL &&
	       ptrace(PTRACE_SEIZE, pid, NULL, (void *)options) == 0;
}

void attach(pid_t pid, enum mode mode, bool kills)
{
	bool every = mode == MODE_PLAIN;
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
		       PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
		       PTRACE_O_TRACEEXEC;

	/* A filter that outlives its tracer answers ENOSYS to everything. */
	if (mode != MODE_PLAIN)
		options |= O_SECCOMP | O_EXITKILL;
	if (kills)
		options |= O_EXITKILL;
	if (without.exit_kill)
		options &= ~(long)O_EXITKILL;
	if (!without.seize) {
		/* A task stops at each call only once it has been resumed so. */
		if (seize(pid, options) &&
		    (!every || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0))
			return;
		/* EIO: an unknown request. */
		without.seize = errno == EIO;
	}
	if (without.seize && attach_stopped(pid, options, every))
		return;
	kill(pid, SIGKILL);
	die_errno("cannot trace");
}
