/* SPDX-License-Identifier: Apache-2.0 */
/* One seccomp filter of the program's, as filters.c and filters-pass.c have it. */
#ifndef TRANSHIP_ENGINE_FILTER_H
#define TRANSHIP_ENGINE_FILTER_H

#include <linux/filter.h>

#include "filters.h"

#define FRONT 6		/* instructions that are put in front */

struct filter {
	const struct filter *older;
	unsigned int count;	/* of the program's instructions */
	bool strict;		/* the kernel's first mode: ends by SIGKILL */
	struct sock_filter code[];
};

/* filter_new() - room for @count instructions; NULL without memory. */
struct filter *filter_new(unsigned int count);
/* filters_judge() - calls that hooks answer are judged from now on. */
void filters_judge(void);

#endif
