/* SPDX-License-Identifier: Apache-2.0 */
/* The content of files: requests that DATA frames answer. */
#ifndef TRANSHIP_TREE_CONTENT_H
#define TRANSHIP_TREE_CONTENT_H

#include "serve.h"

/* Each takes its request from @c and sets @path as soon as it is known. All of
 * the answer is put; 0, or -errno. */

/* answer_read() - a range of a file. */
int answer_read(struct server *s, struct cursor *c, struct bytes *path);
/* answer_stream() - ENTRY and content, in this order, of one open file. */
int answer_stream(struct server *s, struct cursor *c, struct bytes *path);
/* answer_opened() - the same of what a link of the kernel's stands for. */
int answer_opened(struct server *s, struct cursor *c, struct bytes *path);

#endif
