// SPDX-License-Identifier: Apache-2.0
/*
 * init - PID 1 of a package, /.tranship/init
 *
 *	init			all automatic services, in order
 *	init @PROGRAM [ARGS]	a program of the descriptor, more arguments
 *	init COMMAND [ARGS]	any command; no services
 *	init --ready		beside PID 1: 0 once all its services are ready
 *	init --seed SOURCE TARGET	fills an empty volume; see seed.h
 *
 * With --run DIRECTORY before these, DIRECTORY stands for /.tranship/run, and
 * the plan has to be there: for a machine that is no package. The plan is /.tranship/run/init.bin where the tool mounted one, else
 * /.tranship/init.bin. See docs/internals/init-bin.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "checks.h"
#include "die.h"
#include "engine.h"
#include "logs.h"
#include "modes.h"
#include "plan.h"
#include "record.h"
#include "seed.h"
#include "talk.h"

#define VERSION "0.1.0"

static char reason[1024];
static const char *plan_files[] = { RUN_DIRECTORY "/init.bin",
				    "/.tranship/init.bin" };
/* Reachable to the end: nothing of it is ever freed. */
static struct plan plan;

static bool load_plan(bool needed)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		const char *why = plan_read(plan_files[i], &plan);

		if (!why) {
			debug("using the plan %s", plan_files[i]);
			return true;
		}
		if (errno != ENOENT && errno != ENOTDIR) {
			complain("cannot use %s: %s", plan_files[i], why);
			return false;
		}
	}
	if (needed)
		complain("there is no plan: neither %s nor %s", plan_files[0],
			 plan_files[1]);
	else
		debug("no plan");
	return !needed;
}

static int check(const char *path)
{
	const char *why = plan_read(path, &plan);

	if (why) {
		fprintf(stderr, "tranship: %s: %s\n", path, why);
		return 1;
	}
	plan_print(&plan);
	return 0;
}

static void name_programs(const char *name)
{
	char known[512] = "";
	size_t i, used = 0;

	for (i = 0; i < plan.program_count && used < sizeof(known); i++)
		used += (size_t)snprintf(known + used, sizeof(known) - used,
					 " @%s", plan.programs[i].name);
	complain("no program is called %s; there are:%s", name,
		 *known ? known : " none");
}

static int run_program(const struct program *program, char **more)
{
	struct strings command = { 0 };
	size_t extra = 0, n = program->command.count;

	if (!check_secrets(&plan, reason, sizeof(reason)) ||
	    !check_volumes(&plan, reason, sizeof(reason)))
		return end_early(reason);
	while (more[extra])
		extra++;
	command.count = n + extra;
	command.list = calloc(command.count + 1, sizeof(*command.list));
	if (!command.list)
		die("out of memory");
	memcpy(command.list, program->command.list, n * sizeof(*more));
	memcpy(command.list + n, more, extra * sizeof(*more));
	return run_single(&plan, program, &command);
}

/* A package without services has one thing to run: main, or its only one. */
static const struct program *sole_program(void)
{
	const struct program *main_program = plan_program(&plan, "main");

	if (plan.service_count || plan.schedule_count)
		return NULL;
	if (!main_program && plan.program_count == 1)
		return plan.programs;
	return main_program;
}

static int run(char **argv)
{
	static char *none[] = { NULL };
	bool bare = argv[0] && argv[0][0] != '@';
	const struct program *program;

	if (!load_plan(!bare))
		return end_early("no usable plan");
	if (!make_directories(&plan))
		return end_early("a directory cannot be made");
	if (bare) {
		struct strings command = { .list = argv };

		return run_single(&plan, NULL, &command);
	}
	if (argv[0]) {
		program = plan_program(&plan, argv[0] + 1);
		if (program)
			return run_program(program, argv + 1);
		name_programs(argv[0] + 1);
		return end_early("no such program");
	}
	program = sole_program();
	if (program)
		return run_program(program, none);
	if (!check_secrets(&plan, reason, sizeof(reason)) ||
	    !check_volumes(&plan, reason, sizeof(reason)))
		return end_early(reason);
	return run_services(&plan);
}

/* 0, 1 and 2 must be taken, or a file of ours would become one of them. */
static void fill_standard_streams(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return;
}

int main(int argc, char **argv)
{
	bool given_run;

	program_name = "tranship";
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("tranship-init " VERSION " (plan version 1)");
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "--check") == 0)
		return check(argv[2]);
	if (argc > 1 && strcmp(argv[1], "--seed") == 0) {
		if (argc != 4) {
			fputs("tranship: usage: init --seed SOURCE TARGET\n",
			      stderr);
			return 125;
		}
		fill_standard_streams();
		return seed(argv[2], argv[3]);
	}
	given_run = argc > 2 && strcmp(argv[1], "--run") == 0;
	if (given_run) {
		static char path[RUN_PATH_MAX];

		if (!run_directory(argv[2])) {
			fprintf(stderr, "tranship: cannot use %s\n", argv[2]);
			return 125;
		}
		plan_files[0] = plan_files[1] = run_path(path, "init.bin");
		argc -= 2;
		argv += 2;
	}
	if (argc == 2 && strcmp(argv[1], "--ready") == 0)
		return record_ready() ? 0 : 1;
	if (argc > 1 && argv[1][0] == '-') {
		fprintf(stderr, "tranship: unknown option %s\n", argv[1]);
		return 125;
	}
	fill_standard_streams();
	if (!given_run)
		engine_enter(argv, argc);
	record_start();
	if (getpid() != 1)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	return run(argv + (argc > 0));
}
