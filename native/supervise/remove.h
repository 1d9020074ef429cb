/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_SUPERVISE_REMOVE_H
#define TRANSHIP_SUPERVISE_REMOVE_H

#include <stdbool.h>

/* remove_next() - removes one entry of the directory @path with all that is
 * below it; links are removed, not followed. Return: whether there may be more;
 * what cannot be removed is left to the next command, and told by nobody. */
bool remove_next(const char *path);

/* remove_tree() - @path and all below it, the same way. */
void remove_tree(const char *path);

#endif
