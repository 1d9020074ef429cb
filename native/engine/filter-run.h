/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_FILTER_RUN_H
#define TRANSHIP_ENGINE_FILTER_RUN_H

#include <linux/filter.h>
#include <linux/seccomp.h>

/*
 * filter_run() - what a seccomp filter says of a call, as seccomp_run_filters() of
 * the kernel has it for one filter. The kernel has accepted @code; what it would
 * not have accepted ends with SECCOMP_RET_KILL_THREAD too, and always ends.
 */
unsigned int filter_run(const struct sock_filter *code, unsigned int count,
			const struct seccomp_data *data);

#endif
