// SPDX-License-Identifier: Apache-2.0
#include <linux/auxvec.h>
#include <linux/prctl.h>

#include "first-stack.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define AUXV_MAX 64	/* pairs; the kernel has some 24 */

struct parts {
	char **envp;
	unsigned long *auxv;
	unsigned int argc, envc, auxc;	/* auxc with AT_NULL */
	char *strings_end;		/* of the environment */
};

static void find_parts(const struct first_stack *s, struct parts *p)
{
	char **at = (char **)(s->given + 1) + s->given[0] + 1;

	p->envp = at;
	while (*at)
		at++;
	p->envc = (unsigned int)(at - p->envp);
	p->auxv = (unsigned long *)(at + 1);
	for (p->auxc = 1; p->auxv[2 * p->auxc - 2] != AT_NULL; p->auxc++)
		;
	if (p->auxc > AUXV_MAX)
		p->auxc = AUXV_MAX;
	for (p->argc = 0; s->arguments[p->argc]; p->argc++)
		;
}

/* What AT_UID and its like tell by the view of users. */
static void fill_ids(unsigned long *pair)
{
	const struct ids *i = users_self();

	switch (pair[0]) {
	case AT_UID:
		pair[1] = i->uid[ID_REAL];
		break;
	case AT_EUID:
		pair[1] = i->uid[ID_EFFECTIVE];
		break;
	case AT_GID:
		pair[1] = i->gid[ID_REAL];
		break;
	case AT_EGID:
		pair[1] = i->gid[ID_EFFECTIVE];
		break;
	case AT_SECURE:
		pair[1] = ids_secure(i);
		break;
	default:
		break;
	}
}

static void fill_auxv(const struct first_stack *s, unsigned long *pairs,
		      unsigned int count, unsigned long file)
{
	for (unsigned int i = 0; i < count; i++) {
		unsigned long *pair = pairs + 2UL * i;

		switch (pair[0]) {
		case AT_PHDR:
			pair[1] = s->image->headers;
			break;
		case AT_PHNUM:
			pair[1] = s->program->image.header_count;
			break;
		case AT_ENTRY:
			pair[1] = s->image->entry;
			break;
		case AT_BASE:
			pair[1] = s->loader ? s->loader->bias : 0;
			break;
		case AT_EXECFN:
			pair[1] = file;
			break;
		case AT_SYSINFO_EHDR:
			pair[1] = s->vdso;
			if (!s->vdso)
				pair[0] = AT_IGNORE;
			break;
		default:
			if (users_on())
				fill_ids(pair);
			break;
		}
	}
	pairs[2 * count - 2] = AT_NULL;
}

static char *push_text(char *top, const char *text)
{
	size_t n = strlen(text) + 1;

	return memcpy(top - n, text, n);
}

/*
 * The words of a script stand in front of its arguments, and the kernel shows
 * all of them as one piece: so all are copied, last one first. *top is the
 * lowest address in use; *words gets the addresses, last word first.
 */
static unsigned int push_script(const struct first_stack *s,
				const struct parts *p, char **top,
				unsigned long *words)
{
	const struct program *program = s->program;
	unsigned int n = 0;

	for (unsigned int i = p->argc; i > 1; i--)
		words[n++] = (unsigned long)
			(*top = push_text(*top, s->arguments[i - 1]));
	words[n++] = (unsigned long)(*top = push_text(*top, s->file));
	for (unsigned int i = program->word_count; i > 0; i--)
		words[n++] = (unsigned long)
			(*top = push_text(*top, program->words[i - 1]));
	return n;
}

static void tell_kernel(const struct first_stack *s, const struct parts *p,
			const unsigned long *auxv, unsigned long first,
			unsigned long end)
{
	struct prctl_mm_map map = {
		.start_code = s->image->code_start,
		.end_code = s->image->code_end,
		.start_data = s->image->data_start,
		.end_data = s->image->data_end,
		.start_brk = PAGE_UP(s->image->end_of_data),
		.brk = PAGE_UP(s->image->end_of_data),
		.start_stack = s->rsp,
		.arg_start = first, .arg_end = end,
		.exe_fd = (__u32)-1,
	};

	map.auxv = (__u64 *)(uintptr_t)auxv;
	map.auxv_size = p->auxc * 2 * (unsigned int)sizeof(long);
	map.env_start = p->envc ? (unsigned long)p->envp[0] : end;
	map.env_end = p->envc ? (unsigned long)p->envp[p->envc - 1] +
				strlen(p->envp[p->envc - 1]) + 1 : end;
	/* Not every kernel is built to be told; then /proc shows the engine's
	 * words, and the heap is above the engine. */
	SYS(__NR_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

void first_stack_build(struct first_stack *s)
{
	unsigned long *vector, *at, first, end, file;
	const struct program *program = s->program;
	struct parts p;
	unsigned int count, words;
	char *top = (char *)s->given;

	find_parts(s, &p);
	count = p.argc;
	words = program->script ? p.argc + program->word_count + 2 : 0;
	/* Room for the addresses of copied words, above everything. */
	top -= words * sizeof(long);
	at = (unsigned long *)(void *)top;
	end = (unsigned long)top;
	if (program->script) {
		count = push_script(s, &p, &top, at);
		first = (unsigned long)top;
	} else if (p.argc > 0) {
		char *last = s->arguments[p.argc - 1];

		first = (unsigned long)s->arguments[0];
		end = (unsigned long)last + strlen(last) + 1;
	} else {
		first = end;
	}
	file = (unsigned long)(top = push_text(top, s->file));
	s->rsp = ((unsigned long)top - (1UL + count + 1 + p.envc + 1 +
					2UL * p.auxc) * sizeof(long)) & ~15UL;
	vector = (unsigned long *)s->rsp;
	*vector++ = count;
	for (unsigned int i = 0; i < count; i++)
		*vector++ = program->script ? at[count - 1 - i]
					    : (unsigned long)s->arguments[i];
	*vector++ = 0;
	memcpy(vector, p.envp, (p.envc + 1) * sizeof(long));
	vector += p.envc + 1;
	memcpy(vector, p.auxv, 2UL * p.auxc * sizeof(long));
	fill_auxv(s, vector, p.auxc, file);
	tell_kernel(s, &p, vector, first, end);
}
