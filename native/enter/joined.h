/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces of other processes, to be joined. */
#ifndef TRANSHIP_ENTER_JOINED_H
#define TRANSHIP_ENTER_JOINED_H

#include "options.h"

/* The flags of setns() and unshare(), by kind. */
extern const int ns_flags[NS_KINDS];

/* What is held of the processes to be joined, before anything changes. */
struct joined {
	int ns[NS_KINDS];
	int root;
};

/* open_joined() - what c->join names; fails in words. */
struct joined open_joined(const struct config *c);
void enter_joined(const struct joined *j);

#endif
