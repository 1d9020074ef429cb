// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. The kernel looks for a task to report from the head of its list, so
 * a few busy tasks could starve the others: now and then all that are ready
 * are collected before any is answered. Calls at the listener are told in the
 * order in which they came.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "held.h"
#include "near.h"
#include "notice.h"
#include "notify.h"
#include "record.h"
#include "stop.h"
#include "stopped.h"

#define FAIR_EVERY 16
#define BATCH 256
#define LOOK_EVERY_US 5000

static void on_status(struct loop *loop, pid_t pid, int status, int *cmd)
{
	struct task *t = task_find(pid);

	near_event(pid);
	if (WIFSTOPPED(status)) {
		stop_handle(loop, t ? t : task_new(pid), status);
		return;
	}
	if (t)
		call_broken(t);
	near_gone(pid);
	record_exit(pid, status);
	if (t)
		task_free(t);
	if (pid == loop->cmd) {
		*cmd = status;
		loop->cmd = 0;
	}
}

struct report {
	pid_t pid;
	int status;
};

/* collect() - one event, which is waited for, or from time to time all that
 * are there; their number, 0 after a signal, -1 where no task is left. */
static int collect(const struct loop *loop, struct report *batch)
{
	static unsigned turn;
	bool look = stopped_look(loop);
	int n = 1;

	batch[0].pid = waitpid(-1, &batch[0].status,
			       __WALL | (look ? WNOHANG : 0));
	if (batch[0].pid < 0 && errno == ECHILD)
		return -1;
	if (batch[0].pid < 0 && errno != EINTR)
		die_errno("wait");
	if (batch[0].pid <= 0) {
		if (look)
			usleep(LOOK_EVERY_US);
		return 0;
	}
	if (++turn % FAIR_EVERY != 0)
		return n;
	while (n < BATCH) {
		batch[n].pid = waitpid(-1, &batch[n].status, __WALL | WNOHANG);
		if (batch[n].pid <= 0)
			break;
		n++;
	}
	return n;
}

static int run_by_stops(struct loop *loop)
{
	static struct report batch[BATCH];
	int cmd = 0, n;

	while ((n = collect(loop, batch)) >= 0) {
		if (n == 0) {
			near_tick();
			record_tick();
		}
		for (int i = 0; i < n; i++)
			on_status(loop, batch[i].pid, batch[i].status, &cmd);
	}
	return cmd;
}

static int run_by_notices(struct loop *loop)
{
	const struct seccomp_notif *told;
	int cmd = 0, status;
	pid_t pid;

	for (;;) {
		while (notify_event()) {
			while ((pid = waitpid(-1, &status,
					      __WALL | WNOHANG)) > 0)
				on_status(loop, pid, status, &cmd);
			if (pid < 0 && errno == ECHILD)
				return cmd;
		}
		told = notify_wait();
		if (told)
			notice_handle(told);
		else
			record_tick();
	}
}

/* As run_by_stops(), with answers to wait for beside the tasks. */
static int run_with_answers(struct loop *loop)
{
	static struct report batch[BATCH];
	int cmd = 0, n;
	pid_t pid = 0;

	for (;;) {
		for (n = 0; n < BATCH; n++) {
			pid = waitpid(-1, &batch[n].status, __WALL | WNOHANG);
			if (pid <= 0)
				break;
			batch[n].pid = pid;
		}
		if (n == 0 && pid < 0 && errno == ECHILD)
			return cmd;
		for (int i = 0; i < n; i++)
			on_status(loop, batch[i].pid, batch[i].status, &cmd);
		if (n == 0)
			near_tick();
		held_wait(loop, n == 0);
		record_tick();
	}
}

int loop_run(struct loop *loop)
{
	if (loop->mode == MODE_SECCOMP && held_start())
		return run_with_answers(loop);
	return loop->mode == MODE_NOTIFY ? run_by_notices(loop)
					 : run_by_stops(loop);
}
