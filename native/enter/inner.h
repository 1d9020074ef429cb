/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENTER_INNER_H
#define TRANSHIP_ENTER_INNER_H

#include "options.h"

/* inner_set_up() - what belongs into the own network namespace beside devices:
 * before any program of the instance runs, and not for it to change. */
void inner_set_up(const struct config *c);

#endif
