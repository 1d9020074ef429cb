// SPDX-License-Identifier: Apache-2.0
/*
 * Where a platform starts the image by its Entrypoint, nobody carries out what
 * the package redirects, nor its clock. An image for that (`package bake`) brings
 * the in-process engine and policy.bin, and init starts anew below it, so that
 * all programs are.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"
#include "engine.h"
#include "record.h"

#define ENGINE "/.tranship/engine"
#define POLICY "/.tranship/policy.bin"
#define COPIES "/.tranship/copies"
#define MARK "TRANSHIP_BELOW_ENGINE"

/* For every user: the engine copies with the rights of the program. */
static bool make_copies(void)
{
	struct stat st;

	return (mkdir(COPIES, 0) == 0 && chmod(COPIES, 01777) == 0) ||
	       (stat(COPIES, &st) == 0 && S_ISDIR(st.st_mode) &&
		access(COPIES, W_OK) == 0);
}

void engine_enter(char **argv, int count)
{
	char **words;
	size_t n = 0;

	if (getenv(MARK)) {
		unsetenv(MARK);
		return;
	}
	/* Of our own runtime, which sees to it itself. */
	if (access(RUN_DIRECTORY "/init.bin", F_OK) == 0 ||
	    access(POLICY, R_OK) != 0 || access(ENGINE, X_OK) != 0)
		return;
	words = calloc((size_t)count + 8, sizeof(*words));
	if (!words || setenv(MARK, "1", 1) < 0)
		die("out of memory");
	words[n++] = (char *)(uintptr_t)ENGINE;
	words[n++] = (char *)(uintptr_t)"--leave";
	words[n++] = (char *)(uintptr_t)"--policy=" POLICY;
	words[n++] = (char *)(uintptr_t)"--package=/";
	if (make_copies())
		words[n++] = (char *)(uintptr_t)"--copies=" COPIES;
	words[n++] = (char *)(uintptr_t)"/.tranship/init";
	if (count > 1)
		memcpy(words + n, argv + 1,
		       (size_t)(count - 1) * sizeof(*words));
	execv(ENGINE, words);
	die("cannot start %s: %s", ENGINE, strerror(errno));
}
