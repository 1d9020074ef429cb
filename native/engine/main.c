// SPDX-License-Identifier: Apache-2.0
/* The engine's start; docs/internals/engine.md has the theory. */
#include <linux/auxvec.h>
#include <linux/prctl.h>
#include <linux/personality.h>

#include "code-files.h"
#include "dispatch.h"
#include "engine.h"
#include "exe.h"
#include "filters.h"
#include "first-stack.h"
#include "loopback.h"
#include "gate.h"
#include "kept.h"
#include "known-sites.h"
#include "options.h"
#include "patch.h"
#include "paths.h"
#include "places.h"
#include "root.h"
#include "rules.h"
#include "search.h"
#include "signals.h"
#include "sys.h"
#include "text.h"
#include "users.h"
#include "vdso.h"

struct engine engine;

/* On the stack, whose pages the program's calls use later on. */
struct start {
	struct program program, interpreter;
	struct loaded image, loader;
};

static unsigned long auxv_value(const unsigned long *stack, unsigned long type)
{
	const unsigned long *at = stack + 1 + stack[0] + 1;

	while (*at)
		at++;
	for (at++; at[0] != AT_NULL; at += 2) {
		if (at[0] == type)
			return at[1];
	}
	return 0;
}

/* The page of @file before what was said otherwise: that is how the clock runs
 * by now. A program that outlives the file goes on with the clock it had. */
static void take_clock(const char *file)
{
	struct policy *p = &engine.policy;

	engine.clock_page = file ? clock_page_open(file) : NULL;
	if (engine.clock_page)
		p->clock_on = true;
	else if (file && !p->clock_on)
		engine_die(EXIT_ENGINE, "not the page of a clock", file);
	else
		engine.clock_page = clock_page_of(&p->clock);
}

static void take_policy(const struct options *o, int64_t now)
{
	rules_start(o->policy_file, o->rules_page, now);
	if (rules_now()->rule_count > 0)
		paths_start(o->package ? o->package : "", o->copies);
	else if (o->rules_page) /* calls that take no path would not notice */
		engine_die(EXIT_ENGINE, "no rules for files are there to change",
			   o->rules_page);
	rules_check();
}

static void read_options(char **words, struct options *o)
{
	struct timespec now = { 0, 0 };

	/* Of the kernel's clocks the one that is behind the others: the program
	 * must not see a time before the one at which it is to begin. */
	SYS(__NR_clock_gettime, CLOCK_REALTIME_COARSE, &now);
	if (!options_read(o, words, now.tv_sec * NS_PER_S + now.tv_nsec)) {
		if (o->wrong)
			engine_die(EXIT_ENGINE, "unknown option or bad value",
				   o->wrong);
		engine_die(EXIT_ENGINE, "usage: engine [OPTIONS] FILE "
			   "[ARGUMENTS]", NULL);
	}
	engine.options = words;
	engine.option_count = o->passed;
	engine.log = o->log;
	if (o->policy_file)
		take_policy(o, now.tv_sec * NS_PER_S + now.tv_nsec);
	else if (o->rules_page)
		engine_die(EXIT_ENGINE, "--rules without --policy",
			   o->rules_page);
	known_sites_start(o->sites ? o->sites : "");
	root_start(o->root ? o->root : "");
	places_start((uint32_t)(o->flags >> RESUME_PLACE));
	options_over(&engine.policy, o);
	take_clock(o->clock_page);
	if (o->users && !users_start(o->users, o->ids))
		engine_die(EXIT_ENGINE, "not the page of users, or no ids",
			   o->users);
	engine.filter_inherited = o->flags & RESUME_FILTER;
	engine.vsyscall_filter = o->flags & RESUME_VSYSCALL;
	engine.traps_by_seccomp = o->trap == TRAP_SECCOMP ||
				  engine.filter_inherited;
}

/* The engine before this one knew it; the kernel makes much of a process's first
 * look into /proc. */
static void find_own_path(const char *given, bool resumed)
{
	char path[PATH_SIZE];
	long n;

	engine.path = given;
	if (resumed && given && given[0] == '/')
		return;
	n = SYS(__NR_readlinkat, AT_FDCWD, "/proc/self/exe", path,
		     sizeof(path) - 1);

	path[n > 0 ? n : 0] = 0;
	if (n > 0)
		engine.path = kept_text(path);
}

/* Behind the arguments. */
static char **environment_of(char **arguments)
{
	while (*arguments)
		arguments++;
	return arguments + 1;
}

/* The program that a link of /proc leads to, as the application knows it. */
COLD static const char *behind_link(const char *file)
{
	char path[PATH_SIZE];

	return exe_known(file, path) ? kept_text(path) : file;
}

/* What the kernel calls a file that execveat() was given by a descriptor. */
COLD static const char *name_of_descriptor(const char *file)
{
	char path[PATH_SIZE];

	return strncmp(file, "/proc/self/fd/", 14) == 0 &&
	       text_join(path, sizeof(path), "/dev/fd/", file + 14)
		       ? kept_text(path) : file;
}

/* What load_all() cannot load may be the kernel's. */
static void try_leaving(long result, const char *file, char **arguments)
{
	if (exec_leaves(result))
		SYS(__NR_execve, file, arguments, environment_of(arguments));
}

/* With the jumps that are known to be right. */
static long load_loader(struct program *p, struct loaded *to)
{
	bool known = known_sites_begin(p);
	long result = load(p, true, 0, to);

	if (result == 0 && known)
		result = known_sites_end(p, to);
	if (result == 0)
		code_files_note(p->id, to->start, to->start, to->end);
	return result;
}

/* Maps program and loader and returns where to begin. */
static unsigned long load_all(struct start *s, const char *file,
			      char **arguments, const unsigned long *stack)
{
	struct program *program = &s->program;
	const unsigned char *bytes = (void *)auxv_value(stack, AT_RANDOM);
	bool fixed = SYS(__NR_personality, 0xffffffff) & ADDR_NO_RANDOMIZE;
	uint64_t random = 0;
	long result;

	/* Those bytes are the program's secret: only a mixture is used. */
	if (bytes && !fixed) {
		memcpy(&random, bytes + 4, sizeof(random));
		random = random * 0x9e3779b97f4a7c15ULL >> 32;
	}
	result = program_open(program, behind_link(file));
	if (result == 0 && program->image.interp_size > 0)
		result = program_interpreter(program, &s->interpreter);
	try_leaving(result, file, arguments);
	if (result < 0 && result != -ENOENT)
		program_die(result, file);
	if (result < 0)
		program_die(result, program->path[0] ? program->path : file);
	result = load(program, false, random, &s->image);
	if (result == 0)
		code_files_note(program->id, s->image.start, s->image.start,
				s->image.end);
	if (result == 0 && program->image.interp_size > 0)
		result = load_loader(&s->interpreter, &s->loader);
	if (result < 0)
		program_die(result, file);
	exe_set(s->image.start, program->path);
	SYS(__NR_close, program->fd);
	if (program->image.interp_size == 0)
		return s->image.entry;
	SYS(__NR_close, s->interpreter.fd);
	return s->loader.entry;
}

static void choose_dispatch(const struct options *o)
{
	long result = dispatch_on();

	/* EINVAL of older kernels; or a filter of the host says no. */
	if (result < 0 && o->trap == TRAP_ANY) {
		engine.traps_by_seccomp = true;
		result = dispatch_on();
	}
	if (result < 0)
		engine_die(EXIT_NO_DISPATCH, "this host offers neither "
			   "Syscall User Dispatch nor seccomp filters", NULL);
}

/* Hosts that forbid code that was written (SELinux execmem, PR_SET_MDWE, PaX)
 * get a slower engine: doctor tells it by this. */
_Noreturn static void probe(unsigned long vdso)
{
	const char *words[] = {
		patch_possible() ? "calls: jumps\n" : "calls: traps\n",
		vdso ? "clock: vdso\n" : "clock: calls\n",
	};

	for (unsigned int i = 0; i < 2; i++)
		SYS(__NR_write, 1, words[i], strlen(words[i]));
	for (;;)
		SYS(__NR_exit_group, 0);
}

void engine_main(unsigned long *stack)
{
	struct thread *t = thread_first();
	struct first_stack first = { .given = stack };
	char **words = (char **)(stack + 1) + 1;
	unsigned long entry;
	struct options o;
	struct start s;

	thread_attach(t);
	t->rules = rules_first();
	read_options(words, &o);
	words += o.count;
	find_own_path(((char **)(stack + 1))[0], o.resumed);
	first.file = words[0];
	if (o.argv0 && words[1])
		words++;
	first.arguments = words;
	if (o.search)
		first.file = search_path(first.file, environment_of(words));
	entry = load_all(&s, first.file, words, stack);
	if (o.close >= 0)
		SYS(__NR_close, o.close);
	SYS(__NR_prctl, PR_SET_NAME, text_base(first.file), 0, 0, 0);
	if (o.flags & RESUME_DESCRIPTOR)
		first.file = name_of_descriptor(first.file);
	first.program = &s.program;
	first.image = &s.image;
	first.loader = s.program.image.interp_size > 0 ? &s.loader : NULL;
	first.vdso = vdso_start(auxv_value(stack, AT_SYSINFO_EHDR));
	if (o.probe)
		probe(first.vdso);
	first_stack_build(&first);
	if (s.program.image.exec_stack)
		SYS(__NR_mprotect, PAGE_DOWN(first.rsp), PAGE, PROT_READ |
		    PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
	dispatch_prepare();
	if (o.loopback && !loopback_resume(o.loopback))
		engine_die(EXIT_ENGINE, "bad value", o.loopback);
	if (o.filters >= 0 && !filters_resume((int)o.filters))
		engine_die(EXIT_ENGINE, "no filters in the descriptor of "
			   "--filters", NULL);
	signals_start(t);
	choose_dispatch(&o);
	gate_start(first.rsp, entry);
}
