// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "exec-text.h"

#define EXEC_TEXT ((EXEC_ARGS_MAX + 4) * 4100U)

static char text[EXEC_TEXT];
static size_t used, argc_at;
static uint16_t argc;

static void put16(size_t at, size_t v)
{
	text[at] = (char)(v & 0xff);
	text[at + 1] = (char)(v >> 8);
}

static void put(struct span s)
{
	if (used + 2 + s.n > sizeof(text))
		s.n = 0;
	put16(used, s.n);
	memcpy(text + used + 2, s.p, s.n);
	used += 2 + s.n;
}

void exec_text_begin(struct span path)
{
	used = 0;
	argc = 0;
	put(path);
	argc_at = used;
	used += 2;
}

void exec_text_arg(struct span arg)
{
	if (argc < EXEC_ARGS_MAX) {
		put(arg);
		argc++;
	}
}

struct span exec_text_path(struct span kept)
{
	const unsigned char *p = (const unsigned char *)kept.p;
	size_t n = kept.n < 2 ? 0 : (size_t)(p[0] | p[1] << 8);

	if (n == 0 || n > kept.n - 2)
		return (struct span){ "", 0 };
	return (struct span){ kept.p + 2, n };
}

struct span exec_text_end(struct span cwd)
{
	put16(argc_at, argc);
	put(cwd);
	return (struct span){ text, used };
}
