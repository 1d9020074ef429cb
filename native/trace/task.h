/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of each task (thread) and of what tasks share. */
#ifndef TRANSHIP_TRACE_TASK_H
#define TRANSHIP_TRACE_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "calls.h"
#include "seen.h"

/*
 * Root and working directory as /proc gives them. Tasks made with CLONE_FS
 * share one. A cached link is good until a member changes its directory or,
 * by fs_generation, until something anywhere may have moved a directory.
 */
struct fs {
	unsigned refs;
	bool uncached;		/* who shares it is not known */
	bool root_known;
	bool foreign;		/* another mount namespace than the tracer's */
	bool cwd_gone;		/* the working directory was removed */
	unsigned long generation;
	char *root;		/* "" for the tracer's own root */
	size_t root_n;
	char *cwd;		/* NULL: not known */
	size_t cwd_n;
};

extern unsigned long fs_generation;

/* A call between its entry and its exit stop. */
struct pending {
	const struct call *call;	/* NULL: none */
	uint8_t op;
	uint8_t flags;
	bool unresolved;	/* no path was found; success means LOST */
	bool magic;		/* the opened file may have another name */
	struct seen_key key;
	char *text;		/* path, second path; for an exec its record */
	size_t n;
	size_t n2;
	size_t room;
	int fd;			/* dirfd or socket of the call */
	uint16_t family;
	uint16_t port;
};

/* A call that was told to the listener and whose result is wanted, see
 * notice.c. */
enum asking {
	ASK_NOTHING,
	ASK_KICKED,	/* is taken out of its wait at the listener */
	ASK_AGAIN,	/* begins the call again; the entry stop comes next */
	ASK_RESULT,	/* is at the listener again; the exit stop comes next */
};

/* A call as the listener was told of it. */
struct told {
	bool valid;
	bool i386;
	uint64_t nr;
	uint64_t ip;
	uint64_t arg[6];
};

struct task {
	pid_t pid;
	pid_t tgid;
	struct fs *fs;
	bool alone;		/* no other task has its memory */
	bool orphan;		/* its parent's event has not come yet */
	bool newborn;		/* without SEIZE: its first SIGSTOP is ours */
	bool launching;		/* our own child before its exec */
	bool want_exit;		/* a seccomp stop asked for the exit stop */
	bool skip_entry;	/* kernel < 4.8: an entry stop comes first */
	bool in_call;		/* plain mode, kernels without op */
	bool steady;		/* this resume must leave its affinity alone */
	bool reads_status;	/* may read its affinity from /proc */
	uint64_t notice;	/* id at the listener of the call it is in */
	struct told answered;	/* the last one that was let run */
	unsigned char asking;
	uint64_t clone_flags;	/* of the clone() it is in */
	uint64_t program;	/* hash of what it runs; 0: nothing yet */
	bool less_rights;	/* may see less than the tracer does */
	bool other_users;	/* its user namespace may be another */
	struct rights *rights;	/* rights.c; NULL: to be asked anew */
	bool makes;		/* its call opens what is there, or makes it */
	uint32_t question;	/* waits for the answer to it; 0: none */
	bool held_entry;	/* ... before its call */
	int32_t held_result;	/* ... or after it */
	unsigned char tries;	/* of a call that was made again */
	bool begins_again;	/* its call was skipped, to be made again */
	uint64_t skipped;	/* the number of that call */
	struct pending pending;
};

struct task *task_find(pid_t pid);
/* task_new() - an empty task with an fs of its own; replaces none. */
struct task *task_new(pid_t pid);
void task_free(struct task *t);
/* task_inherit() - @child has come from @parent by clone flags @flags. */
void task_inherit(struct task *child, const struct task *parent,
		  uint64_t flags);
/* task_exec() - @t, the leader's entry, goes on as thread @former. */
void task_exec(struct task *t, pid_t former);
bool task_keep(struct task *t, const void *p, size_t n, const void *p2,
	       size_t n2);

struct fs *fs_new(void);
void fs_forget_cwd(struct task *t);
void fs_forget_root(struct task *t);
void fs_own(struct task *t);

#endif
