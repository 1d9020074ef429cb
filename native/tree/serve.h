/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_TREE_SERVE_H
#define TRANSHIP_TREE_SERVE_H

#include "entry.h"
#include "resolve.h"
#include "source.h"

struct server {
	struct resolver resolver;
	struct frame_source in;
	struct frame_writer out;
	struct extents extents;
	uint32_t id;		/* of the request being answered */
};

/* serve_tree() - answers requests until stdin ends; exit status. */
int serve_tree(const char *root, bool no_openat2);

/* answer_walk() - all but the END; 0, or -EBADMSG. */
int answer_walk(struct server *s, struct cursor *request);

/* server_entry() - ENTRY for @name in the current directory; 0 or -errno. */
int server_entry(struct server *s, const struct subject *what,
		 struct stat *st);

#endif
