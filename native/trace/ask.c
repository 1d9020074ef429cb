// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. Whoever holds the other end of the socket can put a missing file in
 * its place while the task that looked for it stands still: at the end of a
 * call that failed with ENOENT, before the task sees it. If the answer is
 * that the file is there now, the call is made again as the kernel itself does
 * it after a signal: the instruction pointer goes back by the two bytes of the
 * instruction, and the number of the call into its register. A call that
 * would make the file is held before it runs, for afterwards it is too late.
 *
 * Only that one task stands still: held.h.
 *
 * What was answered by a last no is not asked again. When the other end goes
 * away, everything goes on as if nobody had ever been asked.
 */
#include <errno.h>
#include <string.h>

#include "ask.h"
#include "exec-text.h"
#include "fetcher.h"
#include "held.h"
#include "look.h"
#include "seen.h"

/* A call that finds nothing although it was told so is let go. */
#define TRIES_MAX 8
#define SEEN_ASKED 0x10000U

static const char *after;
static pid_t first;	/* 0: not executed yet */
static uint32_t last_question;

void ask_connect(const char *path, const char *program)
{
	after = program;
	fetcher_connect(path);
}

void ask_executed(const struct task *t, struct span path)
{
	if (fetcher_fd() < 0 || first != 0 || !t->fs->foreign ||
	    path.n != strlen(after) || memcmp(path.p, after, path.n) != 0)
		return;
	first = t->pid;
	/* What the OCI runtime has mounted is no file system of a task. */
	lookups_off = false;
}

static struct span root_of(const struct task *t)
{
	return (struct span){ t->fs->root ? t->fs->root : "", t->fs->root_n };
}

static bool is_exec(const struct task *t)
{
	return t->pending.call->kind == KIND_EXEC;
}

/* The path of the call that @t is in; of an exec the record holds it. */
static struct span path_of(const struct task *t)
{
	struct span text = { t->pending.text, t->pending.n };

	return is_exec(t) ? exec_text_path(text) : text;
}

static struct span second_of(const struct task *t)
{
	const struct pending *k = &t->pending;

	return is_exec(t) ? (struct span){ "", 0 }
			  : (struct span){ k->text + k->n, k->n2 };
}

/* ask() - about the call that @t is in; its question is the last one then. */
static bool ask(const struct task *t, enum question_kind what)
{
	const struct pending *k = &t->pending;

	if (++last_question == 0)
		last_question = 1;
	return fetcher_ask(&(struct question){
		.number = last_question,
		.what = what,
		.op = is_exec(t) ? 0 : k->op,
		.flags = is_exec(t) ? 0 : k->flags,
		.pid = t->pid,
		.first = first,
		.root = root_of(t),
		.path = path_of(t),
		.second = second_of(t),
	});
}

static bool below(struct span path, const char *dir)
{
	size_t n = strlen(dir);

	return path.n >= n && memcmp(path.p, dir, n) == 0 &&
	       (path.n == n || path.p[n] == '/');
}

/* What the kernel makes, and what is ours, is on no other machine. */
static bool askable(const struct task *t)
{
	struct span path;
	size_t top = t->fs->root_n;

	if (fetcher_fd() < 0 || first == 0 || !t->pending.call ||
	    !t->fs->foreign)
		return false;
	if (!is_exec(t) && (t->pending.call->kind >= KIND_EXEC ||
			    t->pending.unresolved))
		return false;
	path = path_of(t);
	if (path.n == 0 || path.p[0] != '/')
		return false;
	if (path.n >= top && top > 0 &&
	    memcmp(path.p, t->fs->root, top) == 0) {
		path.p += top;
		path.n -= top;
	}
	return !below(path, "/proc") && !below(path, "/sys") &&
	       !below(path, "/dev") && !below(path, "/.tranship");
}

static struct seen_key asked_key(const struct task *t, enum question_kind what)
{
	struct span path = path_of(t), second = second_of(t);
	uint32_t op = is_exec(t) ? 0 : t->pending.op;
	uint32_t flags = is_exec(t) ? 0 : t->pending.flags & PATH_NOFOLLOW;

	return seen_key(SEEN_ASKED | (uint32_t)what << 20 | op << 8 | flags,
			path.p, path.n, second.p, second.n);
}

static bool ask_and_hold(struct task *t, enum question_kind what, int32_t result)
{
	struct seen_key key = asked_key(t, what);

	if (seen_has(key) || !ask(t, what))
		return false;
	t->held_entry = what == Q_MAKES;
	t->held_result = result;
	hold(t, last_question, key);
	return true;
}

bool ask_enter(struct task *t)
{
	bool makes = t->makes;

	t->makes = false;
	return makes && askable(t) && !(t->pending.flags & PATH_EXISTED) &&
	       ask_and_hold(t, Q_MAKES, 0);
}

static bool looks(const struct task *t)
{
	uint8_t op = t->pending.op;

	return op != OP_UNLINK && op != OP_RMDIR && op != OP_MOUNT &&
	       op != OP_SOCKET;
}

static bool opens_directory(const struct task *t, int32_t result)
{
	uint8_t op = t->pending.op, kind = t->pending.call->kind;

	return (kind == KIND_OPEN || kind == KIND_OPENAT2) &&
	       (op == OP_READ || op == OP_LIST) &&
	       fd_is_directory(t, result);
}

bool ask_exit(struct task *t, int32_t result)
{
	uint8_t op = t->pending.op;
	enum question_kind what;

	if (result != -ENOENT) {
		t->tries = 0;
		if (result < 0 || !askable(t) || is_exec(t))
			return false;
		if (op == OP_UNLINK || op == OP_RMDIR || op == OP_RENAME) {
			ask(t, Q_GONE);
			return false;
		}
		return opens_directory(t, result) &&
		       ask_and_hold(t, Q_LISTS, result);
	}
	if (!askable(t) || (!is_exec(t) && !looks(t)))
		return false;
	if (++t->tries > TRIES_MAX) {
		t->tries = 0;
		return false;
	}
	what = is_exec(t) ? Q_EXEC : Q_ABSENT;
	return ask_and_hold(t, what, result);
}
