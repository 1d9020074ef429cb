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
 * Only that one task stands still. All others are served meanwhile: the tracer
 * waits for its tasks and for answers at once, with SIGCHLD let through only
 * inside ppoll(), so that none is overslept. A signal for a task that waits is
 * looked for now and then: the call is left, the signal delivered, and the
 * call begins anew and asks again, or fails where the signal asks for an end.
 *
 * What was answered by a last no is not asked again. When the other end goes
 * away, everything goes on as if nobody had ever been asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/user.h>
#include <unistd.h>

#include "ask.h"
#include "die.h"
#include "enter.h"
#include "frame.h"
#include "look.h"
#include "seen.h"
#include "stop.h"

#define MAGIC "TRASK\0\0\1"
#define MAGIC_LEN 8
#define FRAME_QUESTION 1
#define FRAME_ANSWER 2
#define ANSWER_LEN (FRAME_HEADER + 1)
#define LOOK_EVERY_MS 50
/* A call that finds nothing although it was told so is let go. */
#define TRIES_MAX 8
#define SEEN_ASKED 0x10000U
#define BIT(sig) (1ULL << ((sig) - 1))
#define ENDING (BIT(SIGTERM) | BIT(SIGINT) | BIT(SIGHUP) | BIT(SIGQUIT))

enum question {
	Q_ABSENT = 1,	/* a call failed for want of a path */
	Q_EXEC,		/* ... of a program, or of what runs it */
	Q_MAKES,	/* a call is about to make a file that is not there */
	Q_LISTS,	/* a directory was opened */
	Q_GONE,		/* a path was taken away: told, not asked */
};

enum answer {
	A_NO,		/* not now */
	A_AGAIN,	/* it is there: again */
	A_NEVER,	/* no, and need not be asked again */
};

struct held {
	pid_t pid;
	uint32_t question;
};

static int fd = -1;
static const char *after;
static pid_t first;	/* 0: not executed yet */
static struct frame_writer out;
static unsigned char in[64 * ANSWER_LEN];
static size_t in_n;
static struct held *held;
static size_t held_n, held_room;
static uint32_t last_question;
static sigset_t while_waiting;

static void let_go(const char *why)
{
	fprintf(stderr, "%s: nothing is fetched from the source any more: %s\n",
		program_name, why);
	close(fd);
	fd = -1;
}

void ask_connect(const char *path, const char *program)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *name = strrchr(path, '/');
	char dir[4096];
	int at;

	after = program;
	if (!name || (size_t)(name - path) >= sizeof(dir))
		die("not an absolute path: %s", path);
	memcpy(dir, path, (size_t)(name - path));
	dir[name - path] = '\0';
	/* The address of a socket is shorter than paths may be. */
	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d%s", at,
		 name);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (at < 0 || fd < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    frame_writer_init(&out, fd, FRAME_MAX + FRAME_HEADER) < 0) {
		let_go(strerror(errno));
	} else {
		put_raw(&out, MAGIC, MAGIC_LEN);
		frame_flush(&out);
	}
	if (at >= 0)
		close(at);
}

static void nothing(int sig)
{
	(void)sig;
}

bool ask_start(void)
{
	struct sigaction child = { .sa_handler = nothing };
	sigset_t block;

	if (fd < 0)
		return false;
	sigaction(SIGCHLD, &child, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &while_waiting);
	sigdelset(&while_waiting, SIGCHLD);
	return true;
}

void ask_executed(const struct task *t, struct span path)
{
	if (fd < 0 || first != 0 || !t->fs->foreign ||
	    path.n != strlen(after) || memcmp(path.p, after, path.n) != 0)
		return;
	first = t->pid;
	/* What the OCI runtime has mounted is no file system of a task. */
	lookups_off = false;
}

static void put_span(struct span s)
{
	put_bytes16(&out, s.p, s.n);
}

static struct span root_of(const struct task *t)
{
	return (struct span){ t->fs->root ? t->fs->root : "", t->fs->root_n };
}

/* ask() - about the call that @t is in. */
static bool ask(const struct task *t, enum question what, struct span path,
		struct span second)
{
	const struct pending *k = &t->pending;

	if (++last_question == 0)
		last_question = 1;
	frame_begin(&out, FRAME_QUESTION, last_question);
	put_u8(&out, (uint8_t)what);
	put_u8(&out, k->call->kind == KIND_EXEC ? 0 : k->op);
	put_u8(&out, k->call->kind == KIND_EXEC ? 0 : k->flags);
	put_u32(&out, (uint32_t)t->pid);
	put_u32(&out, (uint32_t)first);
	put_span(root_of(t));
	put_span(path);
	put_span(second);
	frame_end(&out);
	if (frame_flush(&out) == 0 && out.error == 0)
		return true;
	let_go("its fetcher has ended");
	return false;
}

static void hold(struct task *t, bool at_entry, int32_t result)
{
	if (held_n == held_room) {
		size_t room = held_room ? held_room * 2 : 16;
		struct held *more = realloc(held, room * sizeof(*more));

		if (!more)
			die("out of memory");
		held = more;
		held_room = room;
	}
	held[held_n++] = (struct held){ t->pid, last_question };
	t->question = last_question;
	t->held_entry = at_entry;
	t->held_result = result;
}

static bool is_exec(const struct task *t)
{
	return t->pending.call->kind == KIND_EXEC;
}

/* The path of the call that @t is in; of an exec the record holds it. */
static struct span path_of(const struct task *t)
{
	struct span text = { t->pending.text, t->pending.n };

	return is_exec(t) ? record_exec_path(text) : text;
}

static struct span second_of(const struct task *t)
{
	const struct pending *k = &t->pending;

	return is_exec(t) ? (struct span){ "", 0 }
			  : (struct span){ k->text + k->n, k->n2 };
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

	if (fd < 0 || first == 0 || !t->pending.call || !t->fs->foreign)
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

static struct seen_key asked_key(const struct task *t, enum question what)
{
	struct span path = path_of(t), second = second_of(t);
	uint32_t op = is_exec(t) ? 0 : t->pending.op;
	uint32_t flags = is_exec(t) ? 0 : t->pending.flags & PATH_NOFOLLOW;

	return seen_key(SEEN_ASKED | (uint32_t)what << 20 | op << 8 | flags,
			path.p, path.n, second.p, second.n);
}

static bool ask_and_hold(struct task *t, enum question what, int32_t result)
{
	if (seen_has(asked_key(t, what)) ||
	    !ask(t, what, path_of(t), second_of(t)))
		return false;
	t->question_kind = (unsigned char)what;
	hold(t, what == Q_MAKES, result);
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
	enum question what;

	if (result != -ENOENT) {
		t->tries = 0;
		if (result < 0 || !askable(t) || is_exec(t))
			return false;
		if (op == OP_UNLINK || op == OP_RMDIR || op == OP_RENAME) {
			ask(t, Q_GONE, path_of(t), second_of(t));
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

	for (size_t i = 0; i < held_n; i++) {
		if (held[i].question != question)
			continue;
		t = waits(&held[i]);
		held[i] = held[--held_n];
		break;
	}
	if (!t)
		return;
	if (answer == A_NEVER)
		seen_add(asked_key(t, (enum question)t->question_kind));
	answered(loop, t, answer == A_AGAIN);
}

static uint32_t word(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static void read_answers(const struct loop *loop)
{
	long n = recv(fd, in + in_n, sizeof(in) - in_n, MSG_DONTWAIT);
	size_t at = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		let_go("its fetcher has ended");
		return;
	}
	in_n += (size_t)n;
	for (; in_n - at >= ANSWER_LEN; at += ANSWER_LEN) {
		if (word(in + at) != 1 || in[at + 4] != FRAME_ANSWER) {
			let_go("its fetcher does not answer as it should");
			return;
		}
		take_answer(loop, word(in + at + 5), in[at + FRAME_HEADER]);
	}
	memmove(in, in + at, in_n - at);
	in_n -= at;
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
		unsigned long long signals = t ? stop_signals(t->pid) : 0;

		if (t && signals == 0)
			continue;
		held[i--] = held[--held_n];
		if (t)
			leave(loop, t, (signals & ENDING) != 0);
	}
}

void ask_wait(const struct loop *loop, bool idle)
{
	struct timespec look = { 0, held_n > 0 ? LOOK_EVERY_MS * 1000000L : 0 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	bool forever = idle && held_n == 0;
	int n;

	if (!idle)
		look.tv_nsec = 0;
	n = ppoll(&p, 1, forever ? NULL : &look, &while_waiting);
	if (n > 0 && fd >= 0)
		read_answers(loop);
	if (fd < 0)
		let_all_go_on(loop);
	else if (n == 0 && idle)
		look_for_signals(loop);
}
