/* SPDX-License-Identifier: Apache-2.0 */
/* What led where, for whoever looks for a fault: off unless --log says where. */
#ifndef TRANSHIP_ENGINE_LOG_H
#define TRANSHIP_ENGINE_LOG_H

#include <stdbool.h>

/* log_led() - one line in the file of this process: @from led to @to, or stayed
 * as it is (NULL); @kind says what it is, @error is -errno or 0. */
void log_led(const char *kind, const char *from, const char *to, long error);

#endif
