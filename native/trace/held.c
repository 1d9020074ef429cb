// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "die.h"
#include "enter.h"
#include "fetcher.h"
#include "held.h"
#include "signals.h"
#include "stop.h"

#define LOOK_EVERY_MS 50
#define BIT(sig) (1ULL << ((sig) - 1))
#define ENDING (BIT(SIGTERM) | BIT(SIGINT) | BIT(SIGHUP) | BIT(SIGQUIT))

struct held {
	pid_t pid;
	uint32_t question;
	struct seen_key key;	/* what it asked */
};

static struct held *held;
static size_t held_n, held_room;
static sigset_t while_waiting;

static void nothing(int sig)
{
	(void)sig;
}

bool held_start(void)
{
	struct sigaction child = { .sa_handler = nothing };
	sigset_t block;

	if (fetcher_fd() < 0)
		return false;
	sigaction(SIGCHLD, &child, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &while_waiting);
	sigdelset(&while_waiting, SIGCHLD);
	return true;
}

void hold(struct task *t, uint32_t question, struct seen_key key)
{
	if (held_n == held_room) {
		size_t room = held_room ? held_room * 2 : 16;
		struct held *more = realloc(held, room * sizeof(*more));

		if (!more)
			die("out of memory");
		held = more;
		held_room = room;
	}
	held[held_n++] = (struct held){ t->pid, question, key };
	t->question = question;
}

/* answered() - @t goes on, its call made @again or not. */
static void answered(const struct loop *loop, struct task *t, bool again)
{
	t->question = 0;
	if (t->held_entry) {
		if (again)
			t->pending.flags |= PATH_EXISTED;
	} else if (again && t->held_result < 0) {
		info_again(t);
		t->pending.call = NULL;
	} else {
		call_exit(t, t->held_result);
	}
	stop_resume(loop, t, 0);
}

/*
 * leave() - out of the wait for the sake of signals. Of those that end a
 * program it may have to see the call return before it acts on them: such a
 * call fails as it would without a source. Otherwise it comes again.
 */
static void leave(const struct loop *loop, struct task *t, bool ends)
{
	t->question = 0;
	if (t->held_entry) {
		t->pending.call = NULL;
		t->want_exit = info_skip(t);
		t->begins_again = t->want_exit && !ends;
	} else if (t->held_result < 0 && !ends) {
		t->pending.call = NULL;
		info_again(t);
	} else {
		call_exit(t, t->held_result);
	}
	stop_resume(loop, t, 0);
}

/* waits() - the task that still waits for the answer @h; else NULL. */
static struct task *waits(const struct held *h)
{
	struct task *t = task_find(h->pid);

	return t && t->question == h->question ? t : NULL;
}

static void take_answer(const struct loop *loop, uint32_t question,
			unsigned char answer)
{
	struct task *t = NULL;
	struct seen_key key = { 0, 0 };

	for (size_t i = 0; i < held_n; i++) {
		if (held[i].question != question)
			continue;
		t = waits(&held[i]);
		key = held[i].key;
		held[i] = held[--held_n];
		break;
	}
	if (!t)
		return;
	if (answer == A_NEVER)
		seen_add(key);
	answered(loop, t, answer == A_AGAIN);
}

static void let_all_go_on(const struct loop *loop)
{
	while (held_n > 0) {
		struct task *t = waits(&held[--held_n]);

		if (t)
			answered(loop, t, false);
	}
}

static void look_for_signals(const struct loop *loop)
{
	for (size_t i = 0; i < held_n; i++) {
		struct task *t = waits(&held[i]);
		unsigned long long signals = t ? signals_due(t->pid) : 0;

		if (t && signals == 0)
			continue;
		held[i--] = held[--held_n];
		if (t)
			leave(loop, t, (signals & ENDING) != 0);
	}
}

void held_wait(const struct loop *loop, bool idle)
{
	struct timespec look = { 0, held_n > 0 ? LOOK_EVERY_MS * 1000000L : 0 };
	struct pollfd p = { .fd = fetcher_fd(), .events = POLLIN };
	bool forever = idle && held_n == 0;
	int n;

	if (!idle)
		look.tv_nsec = 0;
	n = ppoll(&p, 1, forever ? NULL : &look, &while_waiting);
	if (n > 0 && fetcher_fd() >= 0)
		fetcher_read(loop, take_answer);
	if (fetcher_fd() < 0)
		let_all_go_on(loop);
	else if (n == 0 && idle)
		look_for_signals(loop);
}
