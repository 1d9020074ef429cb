// SPDX-License-Identifier: Apache-2.0
#include <linux/prctl.h>

#include "access.h"
#include "engine.h"
#include "exe.h"
#include "paths.h"
#include "program.h"
#include "sys.h"
#include "text.h"

#define ST_NOSUID 2

/* Whether the kernel would change user, group or capabilities for it. */
static bool changes_rights(long fd, const struct file_status *st)
{
	long uid = SYS(__NR_geteuid), gid = SYS(__NR_getegid);
	struct { long words[10], flags, more[4]; } fs = { 0 };
	bool capabilities = uid != 0 &&
		SYS(__NR_fgetxattr, fd, "security.capability", 0, 0) > 0;

	if (!(st->mode & S_ISUID && st->uid != uid) && !capabilities &&
	    !((st->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	      st->gid != gid))
		return false;
	if (SYS(__NR_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return false;
	return SYS(__NR_fstatfs, fd, &fs) < 0 || !(fs.flags & ST_NOSUID);
}

uint64_t program_identity(const struct file_status *st)
{
	const uint64_t parts[] = { st->dev, st->ino, (uint64_t)st->size,
				   st->times[2], st->times[3], st->times[4],
				   st->times[5] };
	uint64_t h = 0;

	for (unsigned int i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		h = (h ^ parts[i]) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	return h >> 1 | 1;
}

static long open_file(const char *path, uint64_t *id)
{
	struct file_status st;
	long fd = SYS(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC |
		      O_NONBLOCK, 0);

	if (fd < 0)
		return fd;
	if (SYS(__NR_fstat, fd, &st) < 0 || (st.mode & S_IFMT) != S_IFREG ||
	    access_effective(path, X_OK) < 0) {
		SYS(__NR_close, fd);
		return -EACCES;
	}
	if (!engine.policy.allow_set_id && changes_rights(fd, &st)) {
		SYS(__NR_close, fd);
		return PROGRAM_SET_ID;
	}
	*id = program_identity(&st);
	return fd;
}

/* @table has room for a page. */
static long read_image(struct program *p, const char *head, size_t n, char *table)
{
	uint64_t offset;
	size_t size;

	switch (elf_headers(head, n, &offset, &size)) {
	case ELF_OK:
		break;
	case ELF_I386:
		return PROGRAM_I386;
	default:
		return -ENOEXEC;
	}
	if (SYS(__NR_pread64, p->fd, table, size, offset) != (long)size)
		return -ENOEXEC;
	return elf_read(head, table, size, &p->image) == ELF_OK ? 0 : -ENOEXEC;
}

static void add_words(struct program *p, const struct script *s)
{
	/* In front of those of the script that led here. */
	unsigned int n = s->has_argument ? 2 : 1;

	memmove(p->words[n], p->words[0], p->word_count * sizeof(p->words[0]));
	memcpy(p->words[0], s->interpreter, sizeof(s->interpreter));
	if (n == 2)
		memcpy(p->words[1], s->argument, sizeof(s->argument));
	p->word_count += n;
}

/* @page has the path, and room for a page. 1 = it is a script. */
static long open_one(struct program *p, struct script *script, char *page)
{
	char head[SCRIPT_HEAD];
	long n;

	p->fd = path_real(page, PATH_SIZE);
	if (p->fd < 0)
		return p->fd;
	p->fd = open_file(page, &p->id);
	if (p->fd < 0)
		return p->fd;
	n = SYS(__NR_pread64, p->fd, head, sizeof(head), 0);
	if (n < 0)
		return n;
	switch (script_read(head, (size_t)n, script)) {
	case SCRIPT_NOT:
		return read_image(p, head, (size_t)n, page);
	case SCRIPT_OK:
		return script->interpreter[0] ? 1 : -EACCES;
	default:
		return -ENOEXEC;
	}
}

long program_open(struct program *p, const char *path)
{
	struct script script;
	char page[PATH_SIZE];
	long result;

	p->path = path;
	p->word_count = 0;
	p->script = false;
	if (!path[0])
		return -ENOENT;
	for (unsigned int depth = 0;; depth++) {
		if (!text_copy(page, sizeof(page), p->path))
			return -ENAMETOOLONG;
		result = open_one(p, &script, page);
		if (result <= 0)
			break;
		SYS(__NR_close, p->fd);
		if (depth == SCRIPT_DEPTH)
			return -ELOOP;
		add_words(p, &script);
		p->script = true;
		p->path = p->words[0];
	}
	if (result < 0 && p->fd >= 0)
		SYS(__NR_close, p->fd);
	return result;
}

long program_interpreter(const struct program *p, struct program *loader)
{
	struct script script;
	char page[PATH_SIZE];
	long result, n = (long)p->image.interp_size;

	if (n == 0)
		return -ENOENT;
	if (SYS(__NR_pread64, p->fd, page, n, p->image.interp_offset) != n ||
	    page[n - 1] != 0)
		return -ENOEXEC;
	if (!page[0])
		return -ENOENT;
	exe_known(page, page);
	result = open_one(loader, &script, page);
	/* A script cannot be a loader. */
	if (result != 0 && loader->fd >= 0)
		SYS(__NR_close, loader->fd);
	return result == -ENOEXEC || result == PROGRAM_I386 || result > 0 ?
		-ELIBBAD : result;
}
