// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"
#include "frame.h"
#include "users.h"

#define MOST_BYTES (4U << 20)

/* The whole file, NUL-terminated; NULL with errno where it cannot be read. */
static char *read_file(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = 4096, used = 0;
	char *text = NULL;

	if (fd < 0)
		return NULL;
	for (;;) {
		char *larger = realloc(text, size);
		long got;

		if (!larger)
			break;
		text = larger;
		got = read_all(fd, text + used, size - used - 1);
		if (got < 0)
			break;
		used += (size_t)got;
		if (used < size - 1) {
			text[used] = 0;
			return text;
		}
		size *= 2;
		if (size > MOST_BYTES) {
			errno = EFBIG;
			break;
		}
	}
	free(text);
	return NULL;
}

/* Splits at @at in place; returns how many parts there are, at most @most. */
static size_t split(char *line, char at, char **parts, size_t most)
{
	size_t n = 0;

	while (n < most) {
		parts[n++] = line;
		line = strchr(line, at);
		if (!line)
			break;
		*line++ = 0;
	}
	return n;
}

static bool number(const char *text, unsigned int *out)
{
	unsigned long v;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (*end || errno || v >= 0xffffffffUL)
		return false;
	*out = (unsigned int)v;
	return true;
}

/* Finds @name, or @id where @name is NULL. */
static bool find_user(char *file, const char *name, uid_t id,
		      struct user *out)
{
	char *line, *next = file, *part[7];
	unsigned int uid, gid;

	while ((line = strsep(&next, "\n"))) {
		if (split(line, ':', part, 7) < 6 ||
		    !number(part[2], &uid) || !number(part[3], &gid))
			continue;
		if (name ? strcmp(part[0], name) != 0 : uid != id)
			continue;
		out->uid = uid;
		out->gid = gid;
		snprintf(out->name, sizeof(out->name), "%s", part[0]);
		snprintf(out->home, sizeof(out->home), "%s",
			 *part[5] ? part[5] : "/");
		return true;
	}
	return false;
}

static bool find_group(char *file, const char *name, gid_t *out)
{
	char *line, *next = file, *part[4];
	unsigned int gid;

	while ((line = strsep(&next, "\n"))) {
		if (split(line, ':', part, 4) < 3 ||
		    strcmp(part[0], name) != 0 || !number(part[2], &gid))
			continue;
		*out = gid;
		return true;
	}
	return false;
}

static void find_memberships(char *file, struct user *user)
{
	char *line, *next = file, *member, *members, *part[4];
	unsigned int gid;

	while ((line = strsep(&next, "\n"))) {
		if (split(line, ':', part, 4) < 4 || !number(part[2], &gid) ||
		    gid == user->gid)
			continue;
		members = part[3];
		while ((member = strsep(&members, ","))) {
			if (strcmp(member, user->name) != 0 ||
			    user->group_count == MOST_GROUPS)
				continue;
			user->groups[user->group_count++] = gid;
			break;
		}
	}
}

int user_lookup(const char *spec, struct user *out, char *problem,
		size_t size)
{
	cleanup_free char *passwd = read_file("/etc/passwd");
	cleanup_free char *groups = read_file("/etc/group");
	char name[256], *group;
	unsigned int id;
	bool found;

	memset(out, 0, sizeof(*out));
	strcpy(out->home, "/");
	if (strlen(spec) >= sizeof(name)) {
		snprintf(problem, size, "user name of %zu bytes",
			 strlen(spec));
		return -1;
	}
	memcpy(name, spec, strlen(spec) + 1);
	group = strchr(name, ':');
	if (group)
		*group++ = 0;
	if (number(name, &id)) {
		found = passwd && find_user(passwd, NULL, id, out);
		out->uid = id;
	} else {
		found = passwd && find_user(passwd, name, 0, out);
		if (!found) {
			snprintf(problem, size, "user '%s' is not in the "
				 "package's /etc/passwd", name);
			return -1;
		}
	}
	if (group && number(group, &id)) {
		out->gid = id;
	} else if (group && *group) {
		if (!groups || !find_group(groups, group, &out->gid)) {
			snprintf(problem, size, "group '%s' is not in the "
				 "package's /etc/group", group);
			return -1;
		}
	}
	out->groups[out->group_count++] = out->gid;
	if (found && !group && groups)
		find_memberships(groups, out);
	return 0;
}
