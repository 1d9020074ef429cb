// SPDX-License-Identifier: Apache-2.0
/* Paths are mostly short, and what is longest is as long as a page: one behind the
 * other they take one page instead of one each. */
#include "engine.h"
#include "kept.h"
#include "program.h"
#include "text.h"

static char kept[8 * PATH_SIZE] __attribute__((section(".bss.kept")));
static size_t used;

const char *kept_text(const char *text)
{
	size_t n = strlen(text) + 1;
	char *at = kept + used;

	if (n > sizeof(kept) - used)
		engine_die(EXIT_ENGINE, "no room for the path", text);
	used += n;
	return memcpy(at, text, n);
}
