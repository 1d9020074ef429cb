// SPDX-License-Identifier: Apache-2.0
/* What execve() would refuse, before the engine is started for it: the program is opened
 * and read as the kernel would. */
#include "access.h"
#include "engine.h"
#include "exec-check.h"
#include "files.h"
#include "paths.h"
#include "program.h"
#include "sys.h"
#include "text.h"
#include "users.h"

bool exec_leaves(long result)
{
	/* A filter stays in force, and its traps would be nobody's. */
	return (result == PROGRAM_I386 || result == PROGRAM_SET_ID) &&
	       engine.policy.leave && !engine.traps_by_seccomp && !files.on;
}

static bool no_descriptor(long result)
{
	return result == -EMFILE || result == -ENFILE;
}

/*
 * The kernel needs no descriptor for that, and a process without any free is one
 * that may want to start another. What can be told without is told; the engine
 * that is started has those that were to be closed.
 */
static long check_unopened(const char *file)
{
	char real[PATH_SIZE];
	struct file_status st = { 0 };
	long result;

	if (!text_copy(real, sizeof(real), file))
		return -ENAMETOOLONG;
	result = path_real(real, sizeof(real));
	if (result == 0)
		result = SYS(__NR_newfstatat, AT_FDCWD, real, &st, 0);
	if (result < 0)
		return result;
	return (st.mode & S_IFMT) == S_IFREG ? access_effective(real, X_OK)
					     : -EACCES;
}

long exec_check(const char *file, struct becomes *b, bool *script)
{
	struct program p, loader;
	long result = program_open(&p, file);

	if (no_descriptor(result))
		return check_unopened(file);
	if (result < 0)
		return result;
	if (p.image.interp_size > 0) {
		result = program_interpreter(&p, &loader);
		if (result == 0)
			SYS(__NR_close, loader.fd);
		else if (no_descriptor(result))
			result = 0;
	}
	*script = p.script;
	users_program(b, p.fd);
	SYS(__NR_close, p.fd);
	return result;
}
