/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/self/exe: the kernel holds the engine there, the program expects
 * itself. Loaders find libraries beside it ($ORIGIN), servers their data. */
#ifndef TRANSHIP_ENGINE_EXE_H
#define TRANSHIP_ENGINE_EXE_H

#include <stdbool.h>

/* exe_set() - the program's file is mapped at @start, and was opened by @path. */
void exe_set(unsigned long start, const char *path);
/* exe_forked() - in the child of fork(): nobody else is looking for it. */
void exe_forked(void);
/* exe_path(), exe_real() - the program's own file, as it knows it, and as the
 * kernel does. */
const char *exe_path(void);
const char *exe_real(void);
/* exe_asked() - whether @path is the link of this process. */
bool exe_asked(const char *path);
/* exe_other() - the same for "/proc/PID/exe" of another process that this engine
 * loaded: its file as the kernel knows it into @real, of PATH_SIZE. */
bool exe_other(const char *path, char *real);
/* exe_spell() - @name of EXE_NAME bytes, relative to @fd, is made what it is from the
 * root where it is a link of a process by a descriptor of its directory. */
#define EXE_NAME 64
void exe_spell(long fd, char *name);
/* exe_known() - of both, the file as the application knows it. */
bool exe_known(const char *path, char *location);

#endif
