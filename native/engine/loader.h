/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_LOADER_H
#define TRANSHIP_ENGINE_LOADER_H

#include "program.h"

struct loaded {
	unsigned long bias;	/* added to every address of the file */
	unsigned long entry;
	unsigned long headers;	/* 0 = not mapped */
	unsigned long start, end;
	unsigned long end_of_data;	/* where the heap may begin */
	unsigned long code_start, code_end, data_start, data_end;
};

/* load() - maps the segments of @p; @random chooses where, 0 = as without
 * address randomisation. @loader is mapped where the kernel likes. 0 or -errno;
 * after a failure the process is of no use. */
long load(const struct program *p, bool loader, uint64_t random,
	  struct loaded *to);

#endif
