/* SPDX-License-Identifier: Apache-2.0 */
/* Users of the package's own /etc/passwd and /etc/group: a static program has
 * no name service switch, and the package may well have no libc at all. */
#ifndef TRANSHIP_INIT_USERS_H
#define TRANSHIP_INIT_USERS_H

#include <stddef.h>
#include <sys/types.h>

#define MOST_GROUPS 256

struct user {
	uid_t uid;
	gid_t gid;
	size_t group_count;
	gid_t groups[MOST_GROUPS];	/* supplementary, gid included */
	char name[64];			/* "" where the uid has no name */
	char home[1024];		/* "/" where it is not known */
};

/**
 * user_lookup() - Who "name", "name:group" or "uid[:gid]" is
 *
 * Numbers need no entry. Supplementary groups are those of the name, unless a
 * group was given.
 *
 * Return: 0, or -1 after a message that names what is missing was put into
 * @problem
 */
int user_lookup(const char *spec, struct user *out, char *problem,
		size_t size);

#endif
