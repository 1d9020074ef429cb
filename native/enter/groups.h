/* SPDX-License-Identifier: Apache-2.0 */
/* The options by what they are about. Each takes the values of its option from
 * @r. Return: false where the option is none of its group. */
#ifndef TRANSHIP_ENTER_GROUPS_H
#define TRANSHIP_ENTER_GROUPS_H

#include "reader.h"

bool overlay_option(struct reader *r);
bool mount_option(struct reader *r);
bool namespace_option(struct reader *r);
bool process_option(struct reader *r);

#endif
