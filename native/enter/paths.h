/* SPDX-License-Identifier: Apache-2.0 */
/* How files of the caller's tree and of the tree being built are found and
 * named: by descriptors, since neither tree is to be trusted. */
#ifndef TRANSHIP_ENTER_PATHS_H
#define TRANSHIP_ENTER_PATHS_H

#include <stdbool.h>

struct op;

/* Where the tree of the caller is seen: "" until mounts_stage(). */
extern const char *host_prefix;

/**
 * open_in_root() - open @path with @root as its root, so that no link of a
 * hostile tree leads out of it. Return: an O_PATH descriptor, or -1.
 */
int open_in_root(int root, const char *path);

/* fd_path() - how an open descriptor is named to mount(2). */
#define FD_PATH_SIZE 48
void fd_path(char buf[FD_PATH_SIZE], int fd);

bool is_directory(int fd);

/* root_reopen() - the root of the tree being built as it is now: what is
 * mounted over it is not seen by a descriptor from before. Return: a descriptor
 * that stays ours. */
int root_reopen(void);
/* target_find() - a path of the tree being built. Return: as open_in_root(). */
int target_find(const char *path);
/* target_open() - the place to mount at, made (with its parents) if absent. */
int target_open(const char *path, bool dir);
/* target_of() - the same of an operation, whose target may be the root. */
int target_of(const struct op *op, bool dir);

#endif
