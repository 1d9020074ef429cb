/* SPDX-License-Identifier: Apache-2.0 */
/* From a path to what has to be mapped: through scripts, as execve() would. */
#ifndef TRANSHIP_ENGINE_PROGRAM_H
#define TRANSHIP_ENGINE_PROGRAM_H

#include "elf.h"
#include "script.h"
#include "sys.h"

#define PATH_SIZE 4096

/* Beyond -errno: why a file is not started by this engine. */
#define PROGRAM_I386 (-1000L)
#define PROGRAM_SET_ID (-1001L)

/* What most programs have comes first: each page of a stack that is touched costs a
 * start. */
struct program {
	long fd;		/* of the ELF file */
	uint64_t id;		/* of its content: another file has another */
	const char *path;	/* its path: as given, or in `words` */
	unsigned int word_count;
	bool script;		/* the script's own path follows the words */
	struct elf_image image;
	/* What scripts put in front of the arguments, last script first. */
	char words[2 * SCRIPT_DEPTH][SCRIPT_HEAD];
};

/* program_open() - 0, -errno as of execve(), or PROGRAM_*. On failure nothing
 * stays open. @path, which is no link of exe_known(), has to stay as long as @p. */
long program_open(struct program *p, const char *path);
/* program_identity() - of a file with its content: who writes to it changes its
 * times, and who replaces it its number. Not 0. */
uint64_t program_identity(const struct file_status *st);
/* exec_leaves() - whether what was refused so is the kernel's to execute. */
bool exec_leaves(long result);
/* program_die() - says why @file is not started, and ends as a shell would. */
_Noreturn void program_die(long error, const char *file);
/* program_interpreter() - the image's loader into @loader (only fd, id and
 * image); -ENOENT where it names none. */
long program_interpreter(const struct program *p, struct program *loader);

#endif
