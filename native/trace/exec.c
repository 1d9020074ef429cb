// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>

#include "ask.h"
#include "exec-text.h"
#include "exec.h"
#include "memory.h"
#include "names.h"
#include "rights.h"
#include "special.h"

static void put_args(struct task *t, const struct entry *e, uint64_t argv)
{
	static char text[STRING_MAX];
	size_t width = e->i386 ? 4 : 8;

	for (unsigned i = 0; argv != 0 && i < EXEC_ARGS_MAX; i++) {
		uint64_t at = 0;
		long n;

		if (!memory_read(t, argv + i * width, &at, width) || at == 0)
			return;
		n = memory_string(t, at, text, sizeof(text));
		if (n == -1)
			return;
		exec_text_arg((struct span){ text, n < 0 ? sizeof(text)
							 : (size_t)n });
	}
}

bool enter_exec(struct task *t, const struct call *c, const struct entry *e)
{
	static char raw[STRING_MAX];
	int fd = c->dir < 0 ? AT_FDCWD : (int)e->arg[c->dir];
	long n = memory_string(t, e->arg[c->path], raw, sizeof(raw));
	struct span cwd;

	first_name.n = 0;
	if (n > 0)
		resolve(t, fd, (struct span){ raw, (size_t)n }, false,
			&first_name);
	else if (n == 0 && c->dir >= 0 && !resolve_fd(t, fd, &first_name))
		first_name.n = (size_t)snprintf(first_name.text, 64,
						"/proc/%d/fd/%d",
						(int)task_tgid(t), fd);
	exec_text_begin(name_span(&first_name));
	put_args(t, e, e->arg[c->path + 1]);
	cwd = task_cwd(t);
	return special_keep(t, c, exec_text_end(cwd));
}

void call_executed(struct task *t)
{
	struct pending *k = &t->pending;

	t->fs->cwd_gone = false;
	fs_forget_cwd(t);
	rights_forget(t);
	if (!k->call || k->call->kind != KIND_EXEC)
		return;
	if (!resolve_exe(t, &first_name))
		first_name.n = 0;
	record_exec(t->pid, 0, (struct span){ k->text, k->n },
		    name_span(&first_name));
	t->program = seen_key(~0U, first_name.text, first_name.n, NULL, 0).b;
	k->call = NULL;
	ask_executed(t, exec_text_path((struct span){ k->text, k->n }));
}
