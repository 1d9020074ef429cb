/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_SUPERVISE_END_H
#define TRANSHIP_SUPERVISE_END_H

#include <stdbool.h>

#include "options.h"

/* simple_end() - looks whether the end is a simple one, and does what is to be
 * done then. Return: false where all or some of it is left to others. */
bool simple_end(const struct config *c, int status);

#endif
