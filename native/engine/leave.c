// SPDX-License-Identifier: Apache-2.0
/*
 * A program that the package excludes is the host's own: executed by the kernel
 * as it is, with nothing redirected. So that it finds what it is told to work
 * on, words that are paths of redirected files become those of the host.
 *
 * Where a filter of traps is in force, it stays in force, and the traps would
 * kill whoever does not answer them. Such a program runs under an engine that
 * redirects nothing.
 */
#include "engine.h"
#include "gate.h"
#include "held.h"
#include "leave.h"
#include "options.h"
#include "paths.h"
#include "root.h"
#include "sys.h"
#include "text.h"
#include "thread.h"

#define WORDS_FRONT 5	/* the engine, resume, --argv0, -- and the file */
#define PATHS_SIZE (6UL << 20)	/* execve() takes no more words than that */

struct room {
	char file[PATH_SIZE];
	char resume[RESUME_SIZE];
	size_t paths_used;
	char paths[PATHS_SIZE];
	char *words[];
};

bool leave_wanted(const char *file)
{
	/* Another root is none of the host's. */
	return rules_now()->exclude_count > 0 && !root_changed() &&
	       policy_excludes(rules_now(), text_base(file));
}

/* The host's own at this path, or else where the rules lead. */
static long find_program(char *to, const char *file)
{
	text_copy(to, PATH_SIZE, file);
	if (file[0] == '/' &&
	    SYS(__NR_faccessat, AT_FDCWD, file, X_OK) == 0)
		return 0;
	return path_real(to, PATH_SIZE);
}

/* A word that is the path of a redirected file that is there. */
static long lead(struct room *m, char **word)
{
	char *path = m->paths + m->paths_used;
	struct file_status st;

	if (PATHS_SIZE - m->paths_used < PATH_SIZE)
		return -E2BIG;
	if (copy_text(path, *word, PATH_SIZE) < 0 || path[0] != '/' ||
	    path_real(path, PATH_SIZE) < 0 ||
	    SYS(__NR_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	m->paths_used += strlen(path) + 1;
	*word = path;
	return 0;
}

static long fill(struct room *m, char **to, unsigned long argv, long given)
{
	long result = copy_bytes(to, (void *)argv, (size_t)given * 8);

	for (long i = 1; result == 0 && i < given; i++)
		result = lead(m, &to[i]);
	to[given] = NULL;
	return result;
}

static long execute(struct room *m, unsigned long argv, unsigned long envp,
		    long given)
{
	bool filtered = engine.filter_inherited || engine.vsyscall_filter;
	int64_t flags = (engine.filter_inherited ? RESUME_FILTER : 0) |
			(engine.vsyscall_filter ? RESUME_VSYSCALL : 0);
	struct clock_now now = clock_page_read(engine.clock_page);
	char **to = m->words, *file = m->file;
	long result;

	if (filtered) {
		options_resume(m->resume, &now.clock, flags);
		*to++ = (char *)(uintptr_t)engine.path;
		*to++ = m->resume;
		*to++ = (char *)(uintptr_t)"--argv0";
		*to++ = (char *)(uintptr_t)"--";
		*to++ = m->file;
		file = (char *)(uintptr_t)"/proc/self/exe";
	}
	result = fill(m, to, argv, given);
	if (result < 0)
		return result;
	return held_execve(file, (unsigned long)m->words, envp);
}

long leave_execute(const char *file, unsigned long argv, unsigned long envp,
		   long given)
{
	size_t size = PAGE_UP(sizeof(struct room) +
			      ((size_t)given + WORDS_FRONT + 1) * 8);
	struct thread *t = thread_self();
	struct room *m;
	long memory = SYS(__NR_mmap, 0, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long result;

	if (IS_ERROR(memory))
		return -ENOMEM;
	m = (struct room *)memory;
	/* In a child of vfork() it is the parent's memory: it frees it. */
	t->exec_memory = m;
	t->exec_size = size;
	result = find_program(m->file, file);
	if (result == 0)
		result = execute(m, argv, envp, given);
	t->exec_memory = NULL;
	SYS(__NR_munmap, memory, size);
	return result;
}
