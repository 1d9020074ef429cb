/* SPDX-License-Identifier: Apache-2.0 */
/* Who the command is: user, groups and capabilities. */
#ifndef TRANSHIP_ENTER_IDENTITY_H
#define TRANSHIP_ENTER_IDENTITY_H

#include "options.h"

/* identity_take() - from here on we are that. */
void identity_take(const struct config *c);

#endif
