// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptors. A mailbox is one that the program does not know: it lies high,
 * close() of it fails, and it goes with the last descriptor of its listener, so
 * that no name outlives the port that it stands for. Over execve() it is passed
 * in a word of the engine's. Where a listener gets into hands that do not know
 * the mailbox, that takes no more connections (shutdown()), in all processes
 * that share it.
 */
#include "engine.h"
#include "gate.h"
#include "kept.h"
#include "loopback.h"
#include "sys.h"
#include "text.h"

#define LISTENERS 32
#define NR_CLOSE_RANGE 436

static struct before before;
static unsigned int lock;
static struct listener listeners[LISTENERS] LARGE;
/* Index + 1 of the listener that a descriptor is. */
static unsigned char listener_of[LOOPBACK_FDS] LARGE;

void loopback_lock(void)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		__asm__ volatile("pause");
}

void loopback_unlock(void)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

void loopback_fork_begin(void)
{
	loopback_lock();
	loopback_state_clear();
}

void loopback_fork_end(void)
{
	loopback_unlock();
}

bool loopback_tracked(long fd)
{
	return fd >= 0 && fd < LOOPBACK_FDS && !thread_self()->vfork_child;
}

struct listener *loopback_find(long fd)
{
	unsigned int i = fd >= 0 && fd < LOOPBACK_FDS ? listener_of[fd] : 0;

	return i > 0 ? &listeners[i - 1] : NULL;
}

static struct listener *with_mailbox(long fd)
{
	for (unsigned int i = 0; i < LISTENERS; i++)
		if (listeners[i].users > 0 && listeners[i].mailbox == fd)
			return &listeners[i];
	return NULL;
}

/* Where @mailbox is noted, or a free place. */
static struct listener *place_for(long mailbox)
{
	struct listener *l = with_mailbox(mailbox);

	for (unsigned int i = 0; i < LISTENERS && !l; i++)
		if (listeners[i].users == 0)
			l = &listeners[i];
	return l;
}

void loopback_note(long fd, long mailbox)
{
	struct listener *l;

	loopback_lock();
	l = place_for(mailbox);
	if (l) {
		l->mailbox = mailbox;
		if (l->users++ == 0)
			loopback_options_read(&l->options, fd);
		listener_of[fd] = (unsigned char)(l - listeners + 1);
	} else {
		SYS(__NR_close, mailbox);
	}
	loopback_unlock();
}

void loopback_alone(long fd)
{
	struct listener *l = loopback_find(fd);

	if (l)
		SYS(__NR_shutdown, l->mailbox, 2);
}

/* @to is the same open file as @from. */
static void copied(long from, long to)
{
	struct listener *l = loopback_find(from);

	if (!loopback_tracked(from))
		return;
	loopback_state_set(from, 0);
	if (!l)
		return;
	if (to < LOOPBACK_FDS)
		loopback_note(to, l->mailbox);
	else
		loopback_alone(from);
}

/* Before @fd is closed or replaced; false where it is a mailbox, and for the
 * program not there. */
static bool closes(long fd)
{
	struct listener *l = loopback_find(fd);

	if (!loopback_tracked(fd))
		return true;
	loopback_state_set(fd, 0);
	if (!l)
		return !with_mailbox(fd);
	loopback_lock();
	listener_of[fd] = 0;
	if (--l->users == 0)
		SYS(__NR_close, l->mailbox);
	loopback_unlock();
	return true;
}

static long call_close(struct record *r)
{
	return closes((int)r->rdi) ? call_before(&before, r) : -EBADF;
}

static long call_close_range(struct record *r)
{
	unsigned int first = (unsigned int)r->rdi, last = (unsigned int)r->rsi;
	struct record part = *r;
	long result = 0;

	/* With flags it is for an execve() that follows. */
	if (r->rdx || first > last || !loopback_tracked(0))
		return call_before(&before, r);
	for (unsigned int fd = first; fd <= last && fd < LOOPBACK_FDS; fd++) {
		if (closes(fd))
			continue;
		part.rdi = first;
		part.rsi = fd - 1;
		if (fd > first)
			result = call_before(&before, &part);
		first = fd + 1;
	}
	part.rdi = first;
	part.rsi = last;
	return first <= last ? call_before(&before, &part) : result;
}

/* @fd is to be replaced: a mailbox moves on, a listener ends. */
static void make_way(long fd)
{
	struct listener *l = with_mailbox(fd);

	if (!l) {
		closes(fd);
		return;
	}
	loopback_lock();
	l->mailbox = SYS(__NR_fcntl, fd, F_DUPFD_CLOEXEC, fd + 1);
	loopback_unlock();
}

static long call_dup(struct record *r)
{
	long from = (int)r->rdi, to = (int)r->rsi, result;

	if (r->nr != __NR_dup && from != to && loopback_tracked(to) &&
	    SYS(__NR_fcntl, from, F_GETFD) >= 0)
		make_way(to);
	result = call_before(&before, r);
	if (result >= 0 && result != from)
		copied(from, result);
	return result;
}

static long call_fcntl(struct record *r)
{
	long result = call_before(&before, r);

	if (result >= 0 && ((int)r->rsi == F_DUPFD ||
			    (int)r->rsi == F_DUPFD_CLOEXEC))
		copied((int)r->rdi, result);
	return result;
}

/* Whether the next program has @fd too. */
static bool inherited(long fd)
{
	long flags = SYS(__NR_fcntl, fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

void loopback_pass(char *to)
{
	char *at = to;

	*to = 0;
	if (!engine.policy.loopback)
		return;
	for (long fd = 0; fd < LOOPBACK_FDS; fd++) {
		struct listener *l = loopback_find(fd);

		if (!l || !inherited(fd))
			continue;
		if (at - to > LOOPBACK_WORD - 64) {
			loopback_alone(fd);
			continue;
		}
		SYS(__NR_fcntl, l->mailbox, F_SETFD, 0);
		text_copy(at, 16, at == to ? "--loopback=" : ",");
		at += strlen(at);
		at += text_decimal(at, fd);
		*at++ = ':';
		at += text_decimal(at, l->mailbox);
	}
	*at = 0;
}

void loopback_stay(void)
{
	for (unsigned int i = 0; i < LISTENERS; i++)
		if (listeners[i].users > 0)
			SYS(__NR_fcntl, listeners[i].mailbox, F_SETFD,
			    FD_CLOEXEC);
}

void loopback_leave(void)
{
	for (long fd = 0; engine.policy.loopback && fd < LOOPBACK_FDS; fd++)
		if (loopback_find(fd) && inherited(fd))
			loopback_alone(fd);
}

static const char *number(const char *at, long *value)
{
	*value = 0;
	while (*at >= '0' && *at <= '9' && *value < LOOPBACK_FDS)
		*value = *value * 10 + *at++ - '0';
	return at;
}

bool loopback_resume(const char *value)
{
	while (*value) {
		long fd, mailbox;

		value = number(value, &fd);
		if (*value++ != ':')
			return false;
		value = number(value, &mailbox);
		if (*value && *value++ != ',')
			return false;
		if (fd >= LOOPBACK_FDS || mailbox >= LOOPBACK_FDS)
			return false;
		SYS(__NR_fcntl, mailbox, F_SETFD, FD_CLOEXEC);
		if (loopback_listens(mailbox, fd))
			loopback_note(fd, mailbox);
	}
	return true;
}

void loopback_fds_add(void)
{
	dispatch_over(&before, __NR_close, call_close);
	dispatch_over(&before, NR_CLOSE_RANGE, call_close_range);
	dispatch_over(&before, __NR_dup, call_dup);
	dispatch_over(&before, __NR_dup2, call_dup);
	dispatch_over(&before, __NR_dup3, call_dup);
	dispatch_over(&before, __NR_fcntl, call_fcntl);
}
