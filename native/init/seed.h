/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_INIT_SEED_H
#define TRANSHIP_INIT_SEED_H

#include <stdbool.h>

/**
 * seed() - Fill an empty volume with what the image has in a directory
 * @source:	In the image; slashes at its end are cut off
 * @target:	Where the volume is mounted; so are those of this
 *
 * Return: 0 where the volume is filled or was not empty, 1 after an error,
 * which is told
 */
int seed(char *source, char *target);

/* seed_reserved() - Whether @name in a volume is no content: what a file
 * system brings, or a copy that is not whole */
bool seed_reserved(const char *name);

#endif
