// SPDX-License-Identifier: Apache-2.0
/*
 * One object. Order matters: content, then owner (drops set-id bits and file
 * capabilities), attributes (an ACL changes the mode), mode, times.
 *
 * Objects with several names: the first copy gets a second name in the
 * directory of links, made of device and inode of the source, and the others
 * are linked from there. So the file system keeps what would need memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "seed-parts.h"

static bool plain_range(struct seed *s, int in, int out, off_t at, off_t end)
{
	while (at < end) {
		size_t wanted = end - at < (off_t)sizeof(s->buffer) ?
			(size_t)(end - at) : sizeof(s->buffer);
		ssize_t got = pread(in, s->buffer, wanted, at), put = 0;

		if (got <= 0)
			return got == 0;
		while (put < got) {
			ssize_t n = pwrite(out, s->buffer + put,
					   (size_t)(got - put), at + put);

			if (n < 0)
				return false;
			put += n;
		}
		at += got;
	}
	return true;
}

static bool copy_range(struct seed *s, int in, int out, off_t at, off_t end)
{
	while (at < end && !s->by_hand) {
		off_t from = at, to = at;
		ssize_t n = copy_file_range(in, &from, out, &to,
					    (size_t)(end - at), 0);

		if (n == 0)
			break;
		/* Whatever it is, read() or write() say so too. */
		if (n < 0)
			s->by_hand = true;
		else
			at += n;
	}
	return plain_range(s, in, out, at, end);
}

/* What is not data stays a hole. */
static bool copy_content(struct seed *s, int in, int out, off_t size)
{
	off_t at = 0;

	if (ftruncate(out, size) < 0)
		return false;
	while (at < size) {
		off_t data = lseek(in, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			return true;
		/* A file system without holes to tell. */
		if (data < 0)
			data = at;
		hole = lseek(in, data, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		if (!copy_range(s, in, out, data, hole))
			return false;
		at = hole;
	}
	return true;
}

static bool copy_file(struct seed *s, int from, int to, const char *name,
		      const struct stat *st)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int in = openat(from, name, flags | O_NOATIME);
	int out;
	bool ok;

	if (in < 0 && errno == EPERM)
		in = openat(from, name, flags);
	if (in < 0)
		return seed_fail(s, "read", name);
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
		     O_CLOEXEC, 0600);
	ok = out >= 0 && copy_content(s, in, out, st->st_size);
	/* Some file systems tell of a full disk only then. */
	if (out >= 0 && close(out) < 0)
		ok = false;
	if (!ok)
		seed_fail(s, "copy", name);
	close(in);
	return ok;
}

static bool copy_link(struct seed *s, int from, int to, const char *name)
{
	ssize_t n = readlinkat(from, name, s->buffer, sizeof(s->buffer) - 1);

	if (n < 0)
		return seed_fail(s, "read", name);
	s->buffer[n] = 0;
	return symlinkat(s->buffer, to, name) == 0 ||
		seed_fail(s, "make", name);
}

/* Return: 1 made, 0 left out and told, -1 failed and told. */
static int make_entry(struct seed *s, int from, int to, const char *name,
		      const struct stat *st)
{
	if (S_ISREG(st->st_mode))
		return copy_file(s, from, to, name, st) ? 1 : -1;
	if (S_ISLNK(st->st_mode))
		return copy_link(s, from, to, name) ? 1 : -1;
	if (mknodat(to, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) == 0)
		return 1;
	if (!seed_refused())
		return seed_fail(s, "make", name) ? 1 : -1;
	seed_loss(s, LOSS_SPECIAL, "a device or pipe may not be made and is "
		  "left out", name, errno);
	return 0;
}

bool seed_entry(struct seed *s, int from, int to, const char *name,
		const struct stat *st)
{
	static const char lost[] = "is copied, not linked to its other names";
	char key[40];
	int got;

	/* A socket is nothing without the process behind it. */
	if (S_ISSOCK(st->st_mode))
		return true;
	snprintf(key, sizeof(key), "%llx-%llx", (unsigned long long)st->st_dev,
		 (unsigned long long)st->st_ino);
	if (st->st_nlink > 1) {
		if (linkat(s->links, key, to, name, 0) == 0)
			return true;
		if (errno != ENOENT && errno != EMLINK && !seed_refused())
			return seed_fail(s, "link", name);
		if (errno != ENOENT)
			seed_loss(s, LOSS_LINK, lost, name, errno);
	}
	got = make_entry(s, from, to, name, st);
	if (got <= 0)
		return got == 0;
	if (!seed_metadata(s, from, to, name, st))
		return false;
	if (st->st_nlink > 1 && linkat(to, name, s->links, key, 0) < 0 &&
	    errno != EEXIST) {
		if (!seed_refused())
			return seed_fail(s, "link", name);
		seed_loss(s, LOSS_LINK, lost, name, errno);
	}
	return true;
}
