/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine [OPTIONS] FILE [ARGUMENTS]
 *
 *   --trap=seccomp|dispatch   how calls are caught; without it, what there is
 *   --clock-offset=SECONDS    the wall clock is that far ahead (or behind: -)
 *   --clock-at=SECONDS        it shows this time (seconds since 1970) at the start
 *   --clock-rate=NUMBER       it runs that fast; 0 = it stands
 *   --clock-page=FILE         it runs as this page says, also when that changes
 *   --node=, --domain=, --release=, --version=, --machine=   what uname() tells
 *   --vsyscall                the vsyscall page too shows the application's time
 *   --fast-loopback           connections of TCP at 127.0.0.0/8 and ::1 between
 *                             programs that have this go over AF_UNIX
 *   --policy=FILE             policy.bin: what of the above is not given otherwise
 *   --rules=FILE              its rules may change: see rules.h
 *   --package=DIRECTORY       where the package's files are that its rules name
 *   --copies=DIRECTORY        where the instance keeps what the mode write-copy
 *                             copies and changes
 *   --allow-host=PATH         the modes write-copy and merged show the host's own
 *                             files there and below; as often as needed
 *   --users=FILE              the kernel's user stands for all users: see users.h;
 *                             by this page processes see who others are
 *   --log=DIRECTORY           each process writes there what led where: PID.jsonl
 *   --set-id                  set-id programs start, without their rights
 *   --leave                   set-id and 32-bit programs, which it cannot run, are
 *                             the kernel's, and outside of the engine
 *   --probe                   FILE is not started: two lines tell what this host
 *                             lets the engine do with code
 *   --search                  a FILE without a slash is looked for in PATH
 *
 * and for the engine itself, in what it gives to execve():
 *
 *   --argv0                   the first of ARGUMENTS is argv[0]
 *   --root=PATH               what chroot() has set, as the application knows it
 *   --close=FD                the program was given as this descriptor
 *   --resume=KERNEL,APP,RATE,FLAGS   the clock as it runs; 1 = the seccomp
 *                             filter is in force, 2 = that of the vsyscall page,
 *                             256 * N = the rule of the directory
 *   --loopback=FD:FD,...      listeners and their mailboxes
 *   --filters=FD              seccomp filters that the program gave itself
 *   --ids=NUMBERS             who the program is by --users, as ids_write() has
 *                             it; without it, root
 */
#ifndef TRANSHIP_ENGINE_OPTIONS_H
#define TRANSHIP_ENGINE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "policy.h"

enum trap_way { TRAP_ANY, TRAP_DISPATCH, TRAP_SECCOMP };

#define RESUME_FILTER 1
#define RESUME_VSYSCALL 2
#define RESUME_DESCRIPTOR 4	/* execveat(): what the file is called */
#define RESUME_PLACE 8	/* above: places_passed() */

struct options {
	struct policy policy;
	enum trap_way trap;
	bool argv0, resumed, search, probe;
	/* NULL = none */
	const char *policy_file, *package, *copies, *log, *root, *loopback,
		   *clock_page, *rules_page, *users, *ids, *sites;
	int64_t close, filters;	/* descriptors, -1 = none */
	int64_t flags;		/* RESUME_* */
	unsigned int count;	/* words that are options; FILE follows */
	unsigned int passed;	/* so many of them come from the user */
	const char *wrong;	/* the word that is none, or NULL */
};

#define RESUME_SIZE 96
#define ROOT_SIZE 4096

/* options_read() - from the words behind argv[0]; @now is the kernel's wall
 * clock in ns. False where something is wrong. */
bool options_read(struct options *o, char **words, int64_t now);
/* options_over() - what the options say, over what a policy said. */
void options_over(struct policy *policy, const struct options *o);
/* options_resume() - the word that carries the clock and @flags on. */
void options_resume(char *to, const struct app_clock *clock, int64_t flags);

#endif
