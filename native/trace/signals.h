/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that wait for a task; bit n - 1 is signal n. */
#ifndef TRANSHIP_TRACE_SIGNALS_H
#define TRANSHIP_TRACE_SIGNALS_H

#include <sys/types.h>

unsigned long long signals_pending(pid_t pid);
/* signals_due() - those of them that @pid does not block. */
unsigned long long signals_due(pid_t pid);

#endif
