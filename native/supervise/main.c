// SPDX-License-Identifier: Apache-2.0
/*
 * supervise: what `tranship run` is in the foreground.
 *
 * Theory. A large process forks slowly and ends slowly. So this program comes
 * first and has Node as its child, which writes everything that an instance
 * needs, tells us the command and kills itself: it ends while the command
 * starts. Until then signals have their default effect, and what ends us ends
 * Node too. Where Node was started without us it executes us in its own place
 * instead. In both ways the state root names our pid and start time as who
 * started the instance. We start the command (enter, which becomes the OCI
 * runtime), pass signals on to it, and do the end of an instance that left
 * nothing but a few files. Every other end is Node's again, which is executed
 * in our place. kill -9 at any moment leaves what kill -9 of Node would: the
 * command dies by its parent-death signal, the next one repairs.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chain.h"
#include "confine.h"
#include "die.h"
#include "end.h"
#include "options.h"
#include "prepare.h"
#include "remove.h"
#include "steps.h"
#include "surroundings.h"

static const int passed_on[] = {
	SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGQUIT,
};

static sigset_t waited_for;

/* begin() - from now on signals are the command's, and wait for us to see them. */
static void begin(void)
{
	default_signals();
	sigemptyset(&waited_for);
	sigaddset(&waited_for, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&waited_for, passed_on[i]);
	if (sigprocmask(SIG_SETMASK, &waited_for, NULL) < 0)
		die_errno("sigprocmask");
}

/* forward() - those that a terminal sends have reached the command already. */
static void forward(pid_t pid, int signo, bool from_terminal)
{
	if (!from_terminal || (signo != SIGINT && signo != SIGQUIT))
		kill(pid, signo);
}

/* watch() - Return: the exit status that stands for how @pid ended. */
static int watch(pid_t pid, const char *to_empty)
{
	bool from_terminal = isatty(0) || isatty(2);
	const struct timespec at_once = { 0 };

	for (;;) {
		siginfo_t info;
		int status, signo;
		pid_t gone = waitpid(-1, &status, WNOHANG);

		if (gone > 0 && gone != pid)
			continue;	/* Node, which prepared it */
		if (gone == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) :
						   128 + WTERMSIG(status);
		if (to_empty)
			signo = sigtimedwait(&waited_for, &info, &at_once);
		else
			signo = sigwaitinfo(&waited_for, &info);
		if (signo > 0 && signo != SIGCHLD)
			forward(pid, signo, from_terminal);
		/* While it runs there is nothing else to do. */
		if (signo < 0 && to_empty && !remove_next(to_empty))
			to_empty = NULL;
	}
}

__attribute__((noreturn))
static void hand_over(struct config *c, int status)
{
	sigset_t none;
	char text[16];

	/* What came for the program after its end is nobody's. */
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++) {
		signal(passed_on[i], SIG_IGN);
		signal(passed_on[i], SIG_DFL);
	}
	snprintf(text, sizeof(text), "%d", status);
	c->hand_over.list[c->hand_over.count] = text;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(c->hand_over.list[0], c->hand_over.list);
	die_errno("cannot execute %s", c->hand_over.list[0]);
}

int main(int argc, char **argv)
{
	struct prepared by_node = { 0 };
	struct config c = { 0 };
	int status;

	program_name = "supervise";
	if (argc == 2 && strcmp(argv[1], "--landlock-abi") == 0)
		return printf("%d\n", landlock_abi()) < 0;
	/* An ordinary user's command goes on as root of namespaces of its own. */
	if (argc > 2 && strcmp(argv[1], "--prepare") == 0 && geteuid() != 0) {
		execv(argv[2], argv + 2);
		die_errno("cannot execute %s", argv[2]);
	}
	if (argc > 1 && strcmp(argv[1], "--prepare") == 0)
		argv = prepare(argv[0], argv + 2, &by_node);
	else
		argv += argc > 0;
	begin();
	parse_options(&c, argv);
	if (c.become) {
		surroundings(&c, getppid());
		become(c.argv, c.null_stdin);
	}
	if (!c.ahead) {
		chain_end(by_node.chain);
		step("chain start");
		by_node.chain = chain_start(&c);
		wake_cgroups();
	}
	status = watch(by_node.chain, c.empty);
	if (by_node.node)
		waitpid(by_node.node, NULL, 0);	/* slower than the command */
	if (!simple_end(&c, status))
		hand_over(&c, status);
	return status;
}
