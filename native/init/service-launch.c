// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "environment.h"
#include "logs.h"
#include "readiness.h"
#include "service-launch.h"
#include "sockets.h"
#include "spawn.h"
#include "talk.h"

static bool open_streams(struct service *s, struct launch *l,
			 const struct user *user, bool main)
{
	bool listens = main && s->is->ready == READY_LOG;
	struct log_source *out, *err;

	if (!logs_to_file() && !listens)
		return true;
	out = logs_add(s->is->name, 1, &l->out);
	err = out ? logs_add(s->is->name, 2, &l->err) : NULL;
	if (!err)
		return false;
	if (listens) {
		logs_listen(out, readiness_line, s);
		logs_listen(err, readiness_line, s);
	}
	/* So that it may open /dev/stdout by name after dropping root. */
	if (user && (fchown(l->out, user->uid, user->gid) < 0 ||
		     fchown(l->err, user->uid, user->gid) < 0))
		debug("cannot give away the pipes of %s", s->is->name);
	return true;
}

pid_t service_launch(struct service *s, const struct strings *command,
		     bool main, int *error)
{
	const struct program *p = &s->plan->programs[s->is->program];
	struct launch l = { .argv = command->list, .in = -1, .out = -1,
			    .err = -1, .session = true,
			    .cwd = *p->cwd ? p->cwd : NULL };
	struct environment env = { 0 };
	struct handed handed;
	static struct user user;
	char problem[4352], number[16];
	pid_t pid = -1;

	*error = 125;
	if (*p->user) {
		if (user_lookup(p->user, &user, problem, sizeof(problem)) < 0)
			goto refuse;
		l.user = &user;
	}
	environment_build(&env, s->plan, p, l.user);
	if (!main && s->pid) {
		snprintf(number, sizeof(number), "%d", s->pid);
		environment_set(&env, "MAINPID", number);
	}
	if (main) {
		sockets_hand(s->plan, s->is, &handed, &env);
		l.handed = &handed;
	}
	l.envp = env.list;
	l.in = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* What a stop command says is the service's, too. */
	if ((main || s->state == STATE_STOPPING) &&
	    !open_streams(s, &l, l.user, main)) {
		snprintf(problem, sizeof(problem), "cannot make pipes: %s",
			 strerror(errno));
		goto refuse;
	}
	if (!main && s->is->ready == READY_EXEC && s->state == STATE_STARTING) {
		l.out = l.in;
		l.err = l.in;
	}
	pid = launch(&l, problem, sizeof(problem));
	if (pid < 0)
		*error = spawn_status(errno, launch_failed_early);
refuse:
	if (pid < 0)
		complain("service %s: %s", s->is->name, problem);
	if (l.out >= 0 && l.out != l.in)
		close(l.out);
	if (l.err >= 0 && l.err != l.in)
		close(l.err);
	if (l.in >= 0)
		close(l.in);
	environment_free(&env);
	return pid;
}
