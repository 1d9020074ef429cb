/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting one process. All that can fail or allocate is prepared by the
 * caller; between vfork() and execve() there are plain system calls only, so
 * that a start costs the same whatever init has in memory.
 */
#ifndef TRANSHIP_INIT_SPAWN_H
#define TRANSHIP_INIT_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "plan.h"
#include "users.h"

/* Descriptors that a child gets beside its standard streams. */
#define HANDED_FIRST 3
#define HANDED_MOST 64

struct handed {
	int fds[HANDED_MOST];	/* become HANDED_FIRST and on */
	size_t count;
	int input;		/* becomes standard input; -1: none */
	char *pid_text;		/* gets the child's number; ten digits wide */
};

struct launch {
	char *const *argv;
	char *const *envp;
	const char *cwd;		/* NULL: as it is */
	const struct user *user;	/* NULL: as it is */
	int in, out, err;		/* -1: as it is */
	const struct handed *handed;	/* NULL: nothing */
	bool session;			/* in a session of its own */
	bool foreground;		/* own group, owning the terminal */
	bool terminal;			/* @in becomes that of the session */
};

/**
 * launch() - Start a process
 * @problem:	Gets the sentence on failure
 *
 * Return: its pid, or -1 with errno; spawn_status() makes an exit status of it
 */
pid_t launch(const struct launch *l, char *problem, size_t size);

/* spawn_status() - 127 not found, 126 cannot be invoked, 125 ours */
int spawn_status(int error, bool before_exec);

/* What failed before execve() is ours, and is remembered here. */
extern bool launch_failed_early;

/* signals_block() - all that init handles; the old mask is given to children.
 * Return: a signalfd */
int signals_block(void);

#endif
