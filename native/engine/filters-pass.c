// SPDX-License-Identifier: Apache-2.0
/*
 * Seccomp filters over execve(): the kernel keeps them, and the engine that starts next
 * has to judge by them. What they say is handed on in a file in memory, from the newest
 * to the oldest: how many instructions, and those, without what was put in front.
 */
#include "filter.h"
#include "gate.h"
#include "sys.h"
#include "text.h"

#define FILTERS_OPTION "--filters="

static long write_all(long fd, const struct filter *f)
{
	for (; f; f = f->older) {
		size_t n = f->count * sizeof(struct sock_filter);

		if (SYS(__NR_write, fd, &f->count, sizeof(f->count)) !=
			    sizeof(f->count) ||
		    SYS(__NR_write, fd, f->code + FRONT, n) != (long)n)
			return -ENOMEM;
	}
	return fd;
}

long filters_pass(char *to)
{
	const struct filter *f = thread_self()->filters;
	long fd, result;

	*to = 0;
	if (!f)
		return -1;
	fd = SYS(__NR_memfd_create, "filters", 0);
	if (fd < 0)
		return fd;
	result = write_all(fd, f);
	if (result < 0) {
		SYS(__NR_close, fd);
		return result;
	}
	text_copy(to, FILTERS_WORD, FILTERS_OPTION);
	text_decimal(to + strlen(to), fd);
	return fd;
}

bool filters_resume(int fd)
{
	struct thread *t = thread_self();
	long at = 0, n;
	unsigned int count;

	while ((n = SYS(__NR_pread64, fd, &count, sizeof(count), at)) ==
	       sizeof(count)) {
		struct filter *f = count <= BPF_MAXINSNS ? filter_new(count) : NULL;
		long size = (long)(count * sizeof(struct sock_filter));

		at += n;
		if (!f || SYS(__NR_pread64, fd, f->code + FRONT, size, at) != size)
			return false;
		at += size;
		f->older = t->filters;
		t->filters = f;
	}
	SYS(__NR_close, fd);
	filters_judge();
	return n == 0;
}
