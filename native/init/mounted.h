/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_INIT_MOUNTED_H
#define TRANSHIP_INIT_MOUNTED_H

/**
 * mounted_here() - Whether something is mounted at an object
 * @flags:	AT_EMPTY_PATH for @dir itself, or AT_SYMLINK_NOFOLLOW
 *
 * Return: 1 or 0, or -1 where the kernel cannot tell (before 5.8)
 */
int mounted_here(int dir, const char *name, int flags);

#endif
