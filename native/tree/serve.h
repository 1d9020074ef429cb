/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about a tree, answered one after the other until stdin ends. */
#ifndef TRANSHIP_TREE_SERVE_H
#define TRANSHIP_TREE_SERVE_H

#include "entry.h"
#include "resolve.h"
#include "source.h"

/* Output is handed on when this much has gathered. */
#define GATHER (256U << 10)

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
/* entry_of_place() - the same for @p, told as @path. */
int entry_of_place(struct server *s, const struct place *p, struct bytes path);
/* put_end() - END of the present answer. */
void put_end(struct server *s, uint8_t flags);

#endif
