// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "enter.h"
#include "look.h"
#include "names.h"
#include "special.h"

/* An interrupted call is begun again or returns EINTR: never a success. */
static int32_t tidy_result(int32_t result)
{
	return result <= -512 && result >= -516 ? -EINTR : result;
}

/* The file that was opened through a link of /proc has its own name too. */
static void say_opened(struct task *t, struct path_record *r, int32_t fd)
{
	if (!resolve_fd(t, fd, &first_name) || first_name.magic)
		return;
	if (r->op == OP_READ && fd_is_directory(t, fd))
		r->op = OP_LIST;
	r->path = name_span(&first_name);
	if (first_name.foreign)
		r->flags |= PATH_FOREIGN;
	r->flags |= PATH_EXISTED;
	record_path(t->pid, r, record_key(r, t->program));
}

static void exit_open(struct task *t, struct path_record *r, int32_t fd)
{
	const struct pending *k = &t->pending;

	if (k->unresolved) {
		r->op = OP_READ;
		say_opened(t, r, fd);
		return;
	}
	if (r->op == OP_READ && fd_is_directory(t, fd))
		r->op = OP_LIST;
	record_path(t->pid, r, k->key);
	if (k->magic)
		say_opened(t, r, fd);
}

static void exit_path(struct task *t, int32_t result)
{
	const struct pending *k = &t->pending;
	struct path_record r = {
		.op = k->op, .flags = k->flags, .result = result,
		.path = { k->text, k->n },
		.second = { k->text + k->n, k->n2 },
	};
	bool opens = k->call->kind == KIND_OPEN ||
		     k->call->kind == KIND_OPENAT2 ||
		     k->call->kind == KIND_HANDLE;

	if (opens && result >= 0) {
		exit_open(t, &r, result);
		return;
	}
	if (k->unresolved) {
		if (result >= 0 && k->call->kind != KIND_FCHDIR)
			lost(t, LOST_UNREADABLE, "path of a call that succeeded");
		return;
	}
	record_path(t->pid, &r, k->key);
}

void call_exit(struct task *t, int32_t result)
{
	const struct call *c = t->pending.call;

	if (!c)
		return;
	result = tidy_result(result);
	if (c->kind >= KIND_EXEC) {
		special_exit(t, result);
	} else {
		exit_path(t, result);
		if (result >= 0)
			special_effect(t);
	}
	t->pending.call = NULL;
}

void call_broken(struct task *t)
{
	if (t->pending.call && !t->pending.unresolved)
		call_exit(t, RESULT_NOT_ASKED);
	t->pending.call = NULL;
}
