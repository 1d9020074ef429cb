// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "die.h"
#include "entry.h"
#include "unpack.h"

static int parse_entry(struct cursor *c, struct entry *e)
{
	size_t before;

	e->mode = get_u32(c);
	e->uid = get_u32(c);
	e->gid = get_u32(c);
	(void)get_u32(c);	/* nlink */
	(void)get_u64(c);	/* dev */
	(void)get_u64(c);	/* ino */
	e->size = get_u64(c);
	(void)get_u64(c);	/* blocks */
	e->mtime.tv_sec = (time_t)get_u64(c);
	e->mtime.tv_nsec = (long)get_u32(c);
	(void)get_u64(c);	/* ctime */
	(void)get_u32(c);
	e->rdev_major = get_u32(c);
	e->rdev_minor = get_u32(c);
	e->path = get_bytes16(c);
	e->target = get_bytes16(c);
	e->xattr_count = get_u16(c);
	e->xattrs.at = c->at;
	before = c->left;
	for (uint16_t i = 0; i < e->xattr_count; i++) {
		(void)get_bytes16(c);
		(void)get_bytes32(c);
	}
	e->xattrs.len = before - c->left;
	e->extent_count = get_u32(c);
	e->extents.at = c->at;
	e->extents.len = c->left;
	if (c->bad || e->mtime.tv_nsec >= 1000000000 ||
	    e->extents.len != (e->extent_count == NO_EXTENTS ?
			       0 : (uint64_t)e->extent_count * 16))
		return -EBADMSG;
	return 0;
}

/* Goes on to the next extent with data; false where there is none. */
static bool next_extent(struct unpack *u)
{
	while (u->next == u->end && u->extents.left > 0) {
		uint64_t offset = get_u64(&u->extents);
		uint64_t length = get_u64(&u->extents);

		if (offset < u->end || offset > u->entry.size ||
		    length > u->entry.size - offset) {
			u->extents.bad = true;
			return false;
		}
		u->next = offset;
		u->end = offset + length;
	}
	return u->next < u->end;
}

int take_entry(struct unpack *u, const struct frame *f)
{
	struct cursor c;
	int got;

	if (u->file >= 0)
		return -EPROTO;
	memcpy(u->kept, f->payload, f->len);
	c = (struct cursor){ u->kept, f->len, false };
	got = parse_entry(&c, &u->entry);
	if (got < 0)
		return got;
	u->extents = (struct cursor){ u->entry.extents.at,
				      u->entry.extents.len, false };
	u->next = 0;
	u->end = u->entry.extent_count == NO_EXTENTS ? u->entry.size : 0;
	return 0;
}

static int begin_entry(struct unpack *u, const struct frame *f,
		       struct bytes *path)
{
	int got = take_entry(u, f);

	if (got < 0)
		return got;
	*path = u->entry.path;
	return make_entry(u, &u->entry);
}

int take_data(struct unpack *u, struct cursor *c)
{
	uint64_t offset = get_u64(c);

	if (c->bad)
		return -EBADMSG;
	if (u->file < 0)
		return -EPROTO;
	if (!next_extent(u) || offset != u->next || c->left > u->end - offset) {
		u->why = "data where none was announced";
		return -EINVAL;
	}
	if (c->left > u->rules.max_bytes - u->bytes) {
		u->why = "more bytes than allowed";
		return -E2BIG;
	}
	u->bytes += c->left;
	while (c->left > 0) {
		ssize_t n = pwrite(u->file, c->at, c->left, (off_t)u->next);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		c->at += n;
		c->left -= (size_t)n;
		u->next += (uint64_t)n;
	}
	return 0;
}

bool data_complete(struct unpack *u)
{
	if (!next_extent(u) && u->extents.left == 0 && !u->extents.bad)
		return true;
	u->why = "data that was announced is missing";
	return false;
}

static int take_end(struct unpack *u)
{
	if (u->file < 0)
		return 0;
	return data_complete(u) ? end_file(u) : -EIO;
}

static int count_entry(struct unpack *u)
{
	if (u->entries == u->rules.max_entries) {
		u->why = "more entries than allowed";
		return -E2BIG;
	}
	u->entries++;
	return 0;
}

/* Return: 0, 1 at FINISH, -errno; @path is the one concerned. */
static int take(struct unpack *u, const struct frame *f, struct bytes *path)
{
	struct cursor c = { f->payload, f->len, false };
	struct bytes target;
	int got = 0;

	if (f->type == FRAME_DATA || f->type == FRAME_END) {
		*path = u->file >= 0 ? u->entry.path : (struct bytes){ 0 };
		return f->type == FRAME_DATA ? take_data(u, &c) : take_end(u);
	}
	if (u->file >= 0 || f->type < FRAME_ENTRY || f->type > FRAME_FINISH ||
	    f->type == FRAME_ERROR)
		return -EPROTO;
	if (f->type == FRAME_FINISH)
		return 1;
	got = count_entry(u);
	if (got < 0)
		return got;
	if (f->type == FRAME_ENTRY)
		return begin_entry(u, f, path);
	*path = get_bytes16(&c);
	if (f->type == FRAME_HARDLINK)
		target = get_bytes16(&c);
	if (c.bad || c.left > 0)
		return -EBADMSG;
	switch (f->type) {
	case FRAME_HARDLINK:
		return make_hardlink(u, *path, target);
	case FRAME_WHITEOUT:
		return make_whiteout(u, *path);
	case FRAME_OPAQUE:
		return make_opaque(u, *path);
	default:
		return -EPROTO;
	}
}

static int fail(struct unpack *u, int err, struct bytes path)
{
	fprintf(stderr, "tree: %.*s: %s%s%s\n", (int)path.len,
		path.at ? (const char *)path.at : "",
		u->why ? u->why : "", u->why ? ": " : "", strerror(err));
	put_error(&u->out, 0, err, path.at, path.len);
	frame_flush(&u->out);
	return 1;
}

static int take_all(struct unpack *u)
{
	struct bytes path = { 0 };
	struct frame f;
	int got;

	while ((got = source_next(&u->in, &f, NULL)) > 0) {
		path = (struct bytes){ 0 };
		got = take(u, &f, &path);
		if (got != 0)
			break;
	}
	if (got == 0) {
		u->why = "the input ends without FINISH";
		got = -EPROTO;
		path = (struct bytes){ 0 };
	}
	if (got == 1)
		got = end_directories(u);
	if (got < 0)
		return fail(u, -got, path);
	frame_begin(&u->out, FRAME_END, 0);
	put_u8(&u->out, 0);
	frame_end(&u->out);
	return frame_flush(&u->out) < 0;
}

void unpack_open(struct unpack *u, const char *dest)
{
	umask(0);
	u->file = -1;
	u->root = geteuid() == 0;
	u->resolver.no_openat2 = u->rules.no_openat2;
	u->resolver.root = open(dest, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (u->resolver.root < 0)
		die_errno("%s", dest);
	u->kept = malloc(FRAME_MAX);
	if (!u->kept || source_init(&u->in, STDIN_FILENO) < 0 ||
	    frame_writer_init(&u->out, STDOUT_FILENO,
			      FRAME_MAX + FRAME_HEADER) < 0)
		die("out of memory");
	if (write_all(STDOUT_FILENO, TREE_MAGIC, TREE_MAGIC_LEN) < 0)
		die_errno("stdout");
	if (source_magic(&u->in) <= 0)
		die("stdin does not open with the magic of this protocol");
}

int unpack_tree(int argc, char **argv)
{
	static struct unpack u;
	const char *dest = parse_rules(&u.rules, argc, argv);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	unpack_open(&u, dest);
	return take_all(&u);
}
