/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs of cases share: each case, called by its name, ends the program
 * with 0 and "ok"; without a name they are listed. A case that others start
 * (`inner`) is not.
 */
#ifndef TRANSHIP_ENGINE_TEST_CASES_H
#define TRANSHIP_ENGINE_TEST_CASES_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { \
	fprintf(stderr, "line %d: %s (errno %d)\n", __LINE__, #x, errno); \
	_exit(1); } } while (0)

struct named {
	const char *name;
	void (*run)(void);
	bool inner;
};

static int run_cases(const struct named *cases, size_t n, int argc, char **argv)
{
	for (size_t i = 0; i < n; i++) {
		if (argc < 2) {
			if (!cases[i].inner)
				puts(cases[i].name);
		} else if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			puts("ok");
			return 0;
		}
	}
	return argc < 2 ? 0 : 2;
}

#define RUN_CASES(cases, argc, argv) \
	run_cases(cases, sizeof(cases) / sizeof((cases)[0]), argc, argv)

static inline int wait_status(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static inline void handle_by(int sig, int flags, void (*handler)(int))
{
	struct sigaction a = { .sa_handler = handler, .sa_flags = flags };

	CHECK(sigaction(sig, &a, NULL) == 0);
}

#endif
