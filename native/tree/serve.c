// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "content.h"
#include "die.h"
#include "names.h"
#include "serve.h"

static bool may_have_holes(const struct stat *st)
{
	/* Attributes in a block of their own hide one missing block. */
	return S_ISREG(st->st_mode) && st->st_size > 0 &&
	       (uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size + 4096;
}

/* Extents of the file @name of the current directory, if it is still @st. */
static void probe_holes(struct server *s, const char *name,
			const struct stat *st)
{
	struct stat now;
	int fd;

	s->extents.count = NO_EXTENTS;
	if ((uint64_t)st->st_blocks * 512 >= (uint64_t)st->st_size &&
	    llistxattr(name, NULL, 0) <= 0)
		return;
	fd = open_read(AT_FDCWD, name, 0);
	if (fd < 0)
		return;
	if (fstat(fd, &now) == 0 && now.st_ino == st->st_ino &&
	    now.st_dev == st->st_dev && S_ISREG(now.st_mode) &&
	    extents_read(&s->extents, fd, (uint64_t)st->st_size) < 0)
		s->extents.count = NO_EXTENTS;
	close(fd);
}

int server_entry(struct server *s, const struct subject *what, struct stat *st)
{
	const struct extents *extents = NULL;

	if (fstatat(AT_FDCWD, what->name, st,
		    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return -errno;
	if (may_have_holes(st)) {
		probe_holes(s, what->name, st);
		extents = &s->extents;
	}
	return put_entry(&s->out, s->id, what, st, extents);
}

int entry_of_place(struct server *s, const struct place *p,
			  struct bytes path)
{
	struct subject what = { -1, p->name, (const char *)path.at, path.len };
	struct stat st;

	if (fchdir(p->dir) < 0)
		return -errno;
	return server_entry(s, &what, &st);
}

void put_end(struct server *s, uint8_t flags)
{
	frame_begin(&s->out, FRAME_END, s->id);
	put_u8(&s->out, flags);
	frame_end(&s->out);
}

static int answer_stat(struct server *s, struct cursor *c, struct bytes *path)
{
	int flags = get_u8(c) & 1 ? RESOLVE_FOLLOW : 0;
	struct place p;
	int got;

	*path = get_bytes16(c);
	if (c->bad)
		return -EBADMSG;
	got = resolve(&s->resolver, path->at, path->len, flags, &p);
	if (got == 0) {
		got = entry_of_place(s, &p, *path);
		place_close(&p);
	}
	return got;
}

static int answer_list(struct server *s, struct cursor *c, struct bytes *path)
{
	struct names names;
	struct place p;
	int got;
	int fd;

	*path = get_bytes16(c);
	if (c->bad)
		return -EBADMSG;
	got = resolve(&s->resolver, path->at, path->len, RESOLVE_FOLLOW, &p);
	if (got < 0)
		return got;
	fd = open_read(p.dir, p.name, O_DIRECTORY);
	place_close(&p);
	if (fd < 0)
		return fd;
	got = names_read(&names, fd);
	if (got == 0 && fchdir(fd) < 0)
		got = -errno;
	close(fd);
	if (got < 0)
		return got;
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.at[i];
		struct subject what = { -1, name, name, strlen(name) };
		struct stat st;

		got = server_entry(s, &what, &st);
		/* What has gone meanwhile is not listed. */
		if (got == -ENOENT)
			got = 0;
		if (got < 0)
			break;
	}
	names_free(&names);
	if (got == 0)
		put_end(s, 0);
	return got;
}

static void put_link(void *arg, const struct place *link)
{
	struct server *s = arg;
	struct bytes path = { (const void *)link->path, link->path_len };

	/* What cannot be told of the link shows when it is followed. */
	(void)entry_of_place(s, link, path);
}

static int answer_resolve(struct server *s, struct cursor *c,
			  struct bytes *path)
{
	struct place p;
	int got;

	*path = get_bytes16(c);
	if (c->bad)
		return -EBADMSG;
	s->resolver.on_link = put_link;
	s->resolver.on_link_arg = s;
	got = resolve(&s->resolver, path->at, path->len,
		      RESOLVE_FOLLOW | RESOLVE_CANONICAL, &p);
	s->resolver.on_link = NULL;
	if (got < 0)
		return got;
	got = entry_of_place(s, &p, (struct bytes){ (const void *)p.path,
						    p.path_len });
	place_close(&p);
	if (got == 0)
		put_end(s, 0);
	return got;
}

/* Return: false where the request itself is not one. */
static bool answer(struct server *s, const struct frame *f)
{
	struct cursor c = { f->payload, f->len, false };
	struct bytes path = { NULL, 0 };
	int got;

	s->id = f->id;
	switch (f->type) {
	case REQUEST_STAT:
		got = answer_stat(s, &c, &path);
		break;
	case REQUEST_LIST:
		got = answer_list(s, &c, &path);
		break;
	case REQUEST_WALK:
		got = answer_walk(s, &c);
		put_end(s, 0);
		break;
	case REQUEST_READ:
		got = answer_read(s, &c, &path);
		break;
	case REQUEST_STREAM:
		got = answer_stream(s, &c, &path);
		break;
	case REQUEST_RESOLVE:
		got = answer_resolve(s, &c, &path);
		break;
	case REQUEST_OPENED:
		got = answer_opened(s, &c, &path);
		break;
	default:
		return false;
	}
	if (c.bad)
		return false;
	if (got < 0)
		put_error(&s->out, s->id, -got, path.at, path.len);
	return true;
}

int serve_tree(const char *root, bool no_openat2)
{
	static struct server s;
	struct frame f;
	int size = 1 << 20;
	int got;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	s.resolver.no_openat2 = no_openat2;
	s.resolver.root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s.resolver.root < 0)
		die_errno("%s", root);
	if (source_init(&s.in, STDIN_FILENO) < 0 || extents_init(&s.extents) < 0 ||
	    frame_writer_init(&s.out, STDOUT_FILENO,
			      FRAME_MAX + FRAME_HEADER + GATHER) < 0)
		die("out of memory");
	/* Either may not be what stdout is; both only save wake-ups. */
	(void)setsockopt(STDOUT_FILENO, SOL_SOCKET, SO_SNDBUF, &size,
			 sizeof(size));
	(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, size);
	if (write_all(STDOUT_FILENO, TREE_MAGIC, TREE_MAGIC_LEN) < 0)
		die_errno("stdout");
	got = source_magic(&s.in);
	if (got == 0)
		return 0; /* who started it had no question after all */
	if (got < 0)
		die("stdin does not open with the magic of this protocol");
	while ((got = source_next(&s.in, &f, &s.out)) > 0)
		if (!answer(&s, &f))
			die("not a request: type %u, %zu bytes", f.type, f.len);
	if (got == -EPROTO)
		die("stdin breaks off inside a request");
	if (got < 0)
		die("%s", strerror(-got));
	return 0;
}
