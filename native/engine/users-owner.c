// SPDX-License-Identifier: Apache-2.0
/*
 * Element: users. Whose a file is. On the disk all are the one user's; who else
 * owns one, and the mode that it shall have, stand in an attribute that tools of
 * rootless containers know too ("UID:GID:0MODE" in octal). Without it a file is
 * root's, and links, sockets and devices, which can have none, are for ever.
 */
#include "gate.h"
#include "kept.h"
#include "paths.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define ATTRIBUTE "user.containers.override_stat"
#define PERMISSIONS 07777U
#define KNOWN 256
/* A file that was changed just now can change again without its time of change
 * telling. */
#define SETTLED 2

static struct known {
	uint64_t dev, ino, seconds, ns;
	struct owner owner;
} known[KNOWN] LARGE;
static unsigned int lock;

void descriptor_link(char *to, long fd)
{
	text_copy(to, 48, fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/");
	if (fd != AT_FDCWD)
		text_decimal(to + strlen(to), fd);
}

bool owner_is_kept(const struct file_status *st)
{
	return st->uid == users_real_uid;
}

bool owner_can_change(const struct file_status *st)
{
	return owner_is_kept(st) && ((st->mode & S_IFMT) == S_IFREG ||
				     (st->mode & S_IFMT) == S_IFDIR);
}

/* Of what has no attribute. */
static void plain(struct owner *o, const struct file_status *st)
{
	o->mode = st->mode;
	o->uid = owner_is_kept(st) ? 0 : st->uid;
	o->gid = owner_is_kept(st) && st->gid == users_real_gid ? 0 : st->gid;
}

static struct known *place_of(const struct file_status *st)
{
	return &known[(st->ino * 0x9e3779b97f4a7c15UL ^ st->dev) >> 7 & (KNOWN - 1)];
}

/* The times of struct file_status: access, change of content, of the rest. */
static bool is_same(const struct known *k, const struct file_status *st)
{
	return k->ino == st->ino && k->dev == st->dev && k->ino &&
	       k->seconds == st->times[4] && k->ns == st->times[5];
}

static bool try_lock(void)
{
	return !__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE);
}

static void unlock(void)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

bool owner_known(struct owner *o, const struct file_status *st)
{
	const struct known *k = place_of(st);
	bool found;

	if ((st->mode & S_IFMT) != S_IFREG && (st->mode & S_IFMT) != S_IFDIR)
		return false;
	if (!try_lock())
		return false;
	found = is_same(k, st);
	if (found)
		*o = k->owner;
	unlock();
	return found;
}

static void remember(const struct owner *o, const struct file_status *st)
{
	long now = SYS(__NR_time, 0);

	if ((long)st->times[4] + SETTLED > now || !try_lock())
		return;
	*place_of(st) = (struct known){ st->dev, st->ino, st->times[4],
					st->times[5], *o };
	unlock();
}

static bool number(const char **at, unsigned int base, uint32_t *value)
{
	uint64_t v = 0;
	const char *s = *at;

	if (*s < '0' || *s >= (char)('0' + base))
		return false;
	for (; *s >= '0' && *s < (char)('0' + base); s++) {
		v = v * base + (uint64_t)(*s - '0');
		if (v >= NO_ID)
			return false;
	}
	*at = s;
	*value = (uint32_t)v;
	return true;
}

/* Anybody may have written it: what is no owner is none. */
static bool parse(struct owner *o, const char *text)
{
	uint32_t mode;

	if (!number(&text, 10, &o->uid) || *text++ != ':' ||
	    !number(&text, 10, &o->gid) || *text++ != ':' ||
	    !number(&text, 8, &mode) || (*text && *text != ':'))
		return false;
	o->mode = (o->mode & ~PERMISSIONS) | (mode & PERMISSIONS);
	return true;
}

void owner_add(void)
{
	static const unsigned short nrs[] = { __NR_setxattr, __NR_removexattr,
					      __NR_openat, __NR_chmod };

	for (unsigned int k = 0; k < sizeof(nrs) / sizeof(nrs[0]); k++)
		dispatch_note(&users_before, nrs[k]);
}

void owner_shown(struct owner *o, const struct file_status *st, long fd)
{
	struct owner kept;
	char link[48], text[64];
	long n;

	plain(o, st);
	if (!owner_can_change(st))
		return;
	descriptor_link(link, fd);
	n = SYS(__NR_getxattr, link, ATTRIBUTE, text, sizeof(text) - 1);
	if (n > 0) {
		text[n] = 0;
		kept = *o;
		if (parse(&kept, text))
			*o = kept;
	}
	/* Where there are no attributes, as in /proc, the owner may be told by
	 * something else. */
	if (n > 0 || n == -ENODATA)
		remember(o, st);
}

/* That root may read and write everything is what the one user gets by being
 * the owner. */
static uint32_t real_mode(uint32_t mode, uint32_t type)
{
	return (mode & (PERMISSIONS & ~(S_ISUID | (type == S_IFDIR ? 0U
							  : S_ISGID)))) |
	       (type == S_IFDIR ? 0700U : 0600U);
}

static char *octal(char *to, uint32_t value)
{
	int shift = 9;

	*to++ = '0';
	for (; shift > 0 && !(value >> shift); shift -= 3)
		;
	for (; shift >= 0; shift -= 3)
		*to++ = (char)('0' + (value >> shift & 7));
	return to;
}

/* A call with a path as the rules answer it: it may have to be copied first.
 * What was made just now is written where it is. */
static long change(bool fresh, unsigned int nr, const char *link,
		   unsigned long a, unsigned long b, unsigned long c)
{
	struct record r = *thread_self()->record;

	if (fresh)
		return SYS(nr, link, a, b, c, 0);
	r.nr = nr;
	r.rdi = (unsigned long)link;
	r.rsi = a;
	r.rdx = b;
	r.r10 = c;
	r.r8 = 0;
	return call_before(&users_before, &r);
}

static long put_attribute(const struct owner *o, const char *link, bool fresh)
{
	char text[64], *at = text;

	at += text_decimal(at, o->uid);
	*at++ = ':';
	at += text_decimal(at, o->gid);
	*at++ = ':';
	at = octal(at, o->mode & PERMISSIONS);
	return change(fresh, __NR_setxattr, link, (unsigned long)ATTRIBUTE,
		      (unsigned long)text, (unsigned long)(at - text));
}

long owner_put(const struct owner *o, const struct file_status *st, long fd,
	       bool fresh)
{
	uint32_t mode = real_mode(o->mode, st->mode & S_IFMT);
	char link[48];
	long result = 0;

	descriptor_link(link, fd);
	if (mode != (st->mode & PERMISSIONS))
		result = change(fresh, __NR_chmod, link, mode, 0, 0);
	if (result < 0)
		return result;
	if (o->uid == 0 && o->gid == 0 && (o->mode & PERMISSIONS) == mode)
		result = change(fresh, __NR_removexattr, link,
				(unsigned long)ATTRIBUTE, 0, 0);
	else
		result = put_attribute(o, link, fresh);
	/* It has none; or where it lies nobody can have one. */
	return result == -ENODATA || result == -EOPNOTSUPP ? 0 : result;
}

/* A signal that waits for the end of this call would have it begun again: where
 * that is too late it waits a little longer. */
static long call_anyway(struct record *r)
{
	struct thread *t = thread_self();
	unsigned int waited = 0;
	long result;

	do {
		waited |= __atomic_exchange_n(&t->pending, 0, __ATOMIC_RELAXED);
		result = call_before(&users_before, r);
	} while (result == RESTART);
	if (waited)
		__atomic_store_n(&t->pending, waited, __ATOMIC_RELAXED);
	return result;
}

long owner_open(const struct record *r, long at, unsigned long path, bool follow,
		bool fresh)
{
	struct record open = *r;

	open.nr = __NR_openat;
	open.rdi = (unsigned long)at;
	open.rsi = path;
	open.rdx = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
	open.r10 = 0;
	return fresh ? call_anyway(&open) : call_before(&users_before, &open);
}
