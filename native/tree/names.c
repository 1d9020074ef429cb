// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "names.h"

struct kernel_dirent {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

int names_compare(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

/* Appends the names of one getdents64() answer; -ENOMEM or 0. */
static int add_names(struct names *n, const char *buf, long got, size_t *used,
		     size_t *room)
{
	for (long at = 0; at < got;) {
		const struct kernel_dirent *d = (const void *)(buf + at);
		size_t len = strlen(d->name) + 1;

		at += d->reclen;
		if (strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0)
			continue;
		if (*used + len > *room) {
			size_t want = *room ? *room * 2 : 4096;
			char *more = realloc(n->text, want + len);

			if (!more)
				return -ENOMEM;
			n->text = more;
			*room = want + len;
		}
		memcpy(n->text + *used, d->name, len);
		*used += len;
		n->count++;
	}
	return 0;
}

int names_read(struct names *n, int fd)
{
	static char buf[65536] __attribute__((aligned(8)));
	size_t used = 0;
	size_t room = 0;
	const char *at;

	memset(n, 0, sizeof(*n));
	for (;;) {
		long got = syscall(SYS_getdents64, fd, buf, sizeof(buf));
		int err = got < 0 ? -errno : 0;

		if (got == 0)
			break;
		if (got > 0)
			err = add_names(n, buf, got, &used, &room);
		if (err < 0) {
			names_free(n);
			return err;
		}
	}
	if (n->count == 0)
		return 0;
	n->at = malloc(n->count * sizeof(*n->at));
	if (!n->at) {
		names_free(n);
		return -ENOMEM;
	}
	at = n->text;
	for (size_t i = 0; i < n->count; i++) {
		n->at[i] = n->text + (at - n->text);
		at += strlen(at) + 1;
	}
	qsort(n->at, n->count, sizeof(*n->at), names_compare);
	return 0;
}

void names_free(struct names *n)
{
	free(n->at);
	free(n->text);
	memset(n, 0, sizeof(*n));
}
