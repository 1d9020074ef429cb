// SPDX-License-Identifier: Apache-2.0
/*
 * pause
 *
 * Holds the namespaces of a task whose containers share a network, and does
 * nothing: the containers come and go, the network stays. It is copied into a
 * container of an engine that is not ours and runs as its first process; it
 * reaps whatever is left to it and ends by SIGTERM or SIGINT.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return 1;
	for (;;) {
		if (sigwait(&set, &sig) != 0)
			return 1;
		if (sig != SIGCHLD)
			return 0;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}
