// SPDX-License-Identifier: Apache-2.0
/*
 * Theory: a volume is filled in two halves with one atomic step between them,
 * so that whatever is found at the next call says what is left to do.
 *
 *	.tranship-seed/content		the copy while it is made
 *	.tranship-seed/links		see seed-entry.c
 *	.tranship-seeded		the whole copy: its entries move up
 *
 * The content is synced before it is renamed to .tranship-seeded. A copy that
 * is not whole is never moved: it is removed and begun anew. A whole one is
 * never copied again: what has not moved up yet moves. .tranship-seeded goes
 * last, after owner and modes, which are set anew at each call until then. A
 * volume with anything else in it is someone's: nothing is done there.
 *
 * Two callers on one volume (replicas of one machine) wait for each other.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "seed.h"
#include "seed-parts.h"
#include "talk.h"

#define COPY ".tranship-seed"
#define WHOLE ".tranship-seeded"
#define NO_REPLACE 1U	/* RENAME_NOREPLACE: where it is defined differs */

bool seed_reserved(const char *name)
{
	return strcmp(name, COPY) == 0 || strcmp(name, WHOLE) == 0 ||
		strcmp(name, "lost+found") == 0;
}

enum state { EMPTY, SEEDED, TAKEN, UNKNOWN };

static DIR *list_directory(int fd)
{
	int again = openat(fd, ".", SEED_DIRECTORY);
	DIR *dir = again < 0 ? NULL : fdopendir(again);

	if (!dir && again >= 0)
		close(again);
	return dir;
}

/* Return: the next name but "." and "..", NULL at the end or with errno. */
static const char *next_name(DIR *dir)
{
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (strcmp(entry->d_name, ".") == 0 ||
			   strcmp(entry->d_name, "..") == 0));
	return entry ? entry->d_name : NULL;
}

static bool fail(const char *what, const char *path)
{
	complain("seed: cannot %s %s: %s", what, path, strerror(errno));
	return false;
}

static enum state look(const struct seed *s)
{
	enum state state = EMPTY;
	DIR *dir = list_directory(s->to);
	const char *name;

	while (dir && (name = next_name(dir))) {
		if (strcmp(name, WHOLE) == 0)
			state = SEEDED;
		else if (state == EMPTY && !seed_reserved(name))
			state = TAKEN;
	}
	if (!dir || errno) {
		fail("read", s->target);
		state = UNKNOWN;
	}
	if (dir)
		closedir(dir);
	return state;
}

static bool open_source(struct seed *s)
{
	struct stat st;

	s->from = open(s->source, SEED_DIRECTORY);
	if (s->from >= 0 && fstat(s->from, &s->from_stat) == 0)
		return true;
	if (lstat(s->source, &st) == 0 && S_ISLNK(st.st_mode))
		complain("seed: %s, which is to be copied, is a symbolic link: "
			 "name the directory itself", s->source);
	else
		complain("seed: cannot copy %s: %s", s->source,
			 strerror(errno));
	return false;
}

static bool open_target(struct seed *s)
{
	s->to = open(s->target, SEED_DIRECTORY);
	if (s->to < 0 || fstat(s->to, &s->to_stat) < 0) {
		complain("seed: cannot fill %s: %s; mount the volume that is "
			 "to be filled there", s->target, strerror(errno));
		return false;
	}
	if (s->from_stat.st_dev == s->to_stat.st_dev &&
	    s->from_stat.st_ino == s->to_stat.st_ino) {
		complain("seed: %s and %s are the same directory: mount the "
			 "volume elsewhere while it is filled", s->source,
			 s->target);
		return false;
	}
	return true;
}

/* Makes @name of @dir and opens it; -1 with errno. */
static int make_directory(int dir, const char *name)
{
	if (mkdirat(dir, name, 0700) < 0)
		return -1;
	return openat(dir, name, SEED_DIRECTORY);
}

/* Not all file systems sync a directory. */
static bool sync_directory(int fd)
{
	return fsync(fd) == 0 || seed_refused();
}

static bool copy(struct seed *s)
{
	int top, content = -1;
	bool done = false;

	if (!seed_remove(s->to, COPY))
		return fail("remove what is left of an earlier call in",
			    s->target);
	top = make_directory(s->to, COPY);
	if (top >= 0) {
		/* Or all that is made there would inherit it. */
		fremovexattr(top, "system.posix_acl_default");
		content = make_directory(top, "content");
		s->links = make_directory(top, "links");
	}
	if (content < 0 || s->links < 0)
		fail("write to", s->target);
	else if (seed_copy(s, content)) {
		done = syncfs(s->to) == 0 &&
			renameat(top, "content", s->to, WHOLE) == 0 &&
			sync_directory(s->to);
		if (!done)
			fail("write all of the copy to", s->target);
	}
	close(content);
	close(s->links);
	close(top);
	return done;
}

/*
 * A directory that is not writable cannot move without CAP_DAC_OVERRIDE, as
 * its ".." changes: it is made so, and source_modes() ends that.
 */
static bool move_one(const struct seed *s, int whole, const char *name)
{
	unsigned int flags = NO_REPLACE;
	int tries;

	for (tries = 0; tries < 3; tries++) {
		if (syscall(SYS_renameat2, whole, name, s->to, name, flags) == 0)
			return true;
		if ((errno == EINVAL || errno == ENOSYS) && flags)
			flags = 0;	/* not known to this file system */
		else if (errno != EACCES || fchmodat(whole, name, 0700, 0) < 0)
			break;
	}
	complain("seed: cannot move %s/" WHOLE "/%s up: %s%s", s->target, name,
		 strerror(errno), errno == EEXIST ?
		 "; remove one of the two" : "");
	return false;
}

static bool move_all(const struct seed *s, int whole)
{
	DIR *dir = list_directory(whole);
	bool ok = dir, moved = true;
	const char *name;

	/* What moves away may hide what follows: until nothing is left. */
	while (ok && moved) {
		moved = false;
		rewinddir(dir);
		while (ok && (name = next_name(dir))) {
			ok = move_one(s, whole, name);
			moved = true;
		}
		if (ok && errno)
			ok = fail("read", s->target);
	}
	if (dir)
		closedir(dir);
	else
		fail("read", s->target);
	return ok;
}

/* Those of the uppermost directories that move_one() may have changed. */
static bool source_modes(const struct seed *s)
{
	DIR *dir = list_directory(s->from);
	struct stat st, now;
	const char *name;
	bool ok = true;

	while (dir && (name = next_name(dir)))
		if (fstatat(s->from, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode) && !(st.st_mode & 0200) &&
		    fstatat(s->to, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(now.st_mode) && (now.st_mode & 07777) == 0700 &&
		    fchmodat(s->to, name, st.st_mode & 07777, 0) < 0)
			break;
	if (!dir || errno)
		ok = fail("set the modes of directories in", s->target);
	if (dir)
		closedir(dir);
	return ok;
}

static bool finish(struct seed *s)
{
	struct timespec times[2];
	int whole;
	bool ok;

	times[0] = s->from_stat.st_atim;
	times[1] = s->from_stat.st_mtim;
	if (!seed_remove(s->to, COPY))
		return fail("remove " COPY " of", s->target);
	whole = openat(s->to, WHOLE, SEED_DIRECTORY);
	if (whole < 0)
		return fail("read " WHOLE " of", s->target);
	ok = move_all(s, whole) && source_modes(s) &&
		seed_metadata(s, s->from, s->to, ".", &s->from_stat);
	close(whole);
	if (!ok)
		return false;
	if (!sync_directory(s->to) || unlinkat(s->to, WHOLE, AT_REMOVEDIR) < 0 ||
	    (futimens(s->to, times) < 0 && !seed_refused()) ||
	    !sync_directory(s->to))
		return fail("finish", s->target);
	return true;
}

static void cut_slashes(char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		path[--n] = 0;
}

/* PID 1 ignores what it does not handle. Any moment will do: see above. */
static void end_at(int sig)
{
	_exit(128 + sig);
}

int seed(char *source, char *target)
{
	static struct seed s;	/* all zero: no byte in the file */
	struct sigaction action = { .sa_handler = end_at };
	enum state state;

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	cut_slashes(source);
	cut_slashes(target);
	s.links = -1;
	s.source = source;
	s.target = target;
	if (!open_source(&s) || !open_target(&s))
		return 1;
	/* Some file systems have no locks: there it has to do without. */
	flock(s.to, LOCK_EX);
	state = look(&s);
	if (state == UNKNOWN)
		return 1;
	if (state == TAKEN) {
		complain("seed: %s is not empty and stays as it is", target);
		return 0;
	}
	if ((state == EMPTY && !copy(&s)) || !finish(&s))
		return 1;
	complain("seed: %s is filled from %s", target, source);
	return 0;
}
