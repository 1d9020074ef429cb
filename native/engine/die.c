// SPDX-License-Identifier: Apache-2.0
/* How the engine ends where it cannot start a program. */
#include "engine.h"
#include "program.h"
#include "sys.h"
#include "text.h"

_Noreturn void engine_die(int status, const char *what, const char *value)
{
	const char *words[] = { "engine: ", what, value ? ": " : "",
				value ? value : "", "\n" };

	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		SYS(__NR_write, 2, words[i], strlen(words[i]));
	for (;;)
		SYS(__NR_exit_group, status);
}

_Noreturn void program_die(long error, const char *file)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
		engine_die(EXIT_NOT_FOUND, "no such file", file);
	case PROGRAM_I386:
		engine_die(EXIT_I386, "a 32-bit program, which the in-process "
			   "engine cannot run", file);
	case PROGRAM_SET_ID:
		engine_die(EXIT_SET_ID, "would change user, group or "
			   "capabilities, which only the kernel can do", file);
	case -ENOEXEC:
		engine_die(EXIT_NOT_STARTED, "neither a 64-bit x86 program nor "
			   "a script", file);
	case -ELIBBAD:
		engine_die(EXIT_NOT_STARTED, "its loader is no program", file);
	case -ELOOP:
		engine_die(EXIT_NOT_STARTED, "too many links, or scripts that "
			   "are run by scripts", file);
	case -EACCES:
	case -EPERM:
		engine_die(EXIT_NOT_STARTED, "may not be executed", file);
	default:
		engine_die(EXIT_NOT_STARTED, "cannot be loaded", file);
	}
}
