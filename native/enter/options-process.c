// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "groups.h"
#include "report.h"

#define WATCHER_MAX 100

static void user_option(struct reader *r)
{
	struct config *c = r->c;
	char *text = strdup(next_word(r));
	char *gid = text ? strchr(text, ':') : NULL;
	char *groups = gid ? strchr(gid + 1, ':') : NULL;
	char *save = NULL;

	if (!gid)
		fail("--user: UID:GID[:GROUP,...] expected");
	*gid++ = 0;
	if (groups)
		*groups++ = 0;
	c->set_user = true;
	c->uid = (uid_t)parse_number("--user", text, 10, 0xfffffffeL);
	c->gid = (gid_t)parse_number("--user", gid, 10, 0xfffffffeL);
	for (char *g = groups ? strtok_r(groups, ",", &save) : NULL; g;
	     g = strtok_r(NULL, ",", &save)) {
		if (c->group_count >= GROUPS_MAX)
			fail("--user: more than %d groups", GROUPS_MAX);
		c->groups[c->group_count++] =
			(gid_t)parse_number("--user", g, 10, 0xfffffffeL);
	}
	free(text);
}

static void caps_option(struct reader *r)
{
	const char *text = next_word(r);
	char *end;

	errno = 0;
	r->c->caps = strtoull(text, &end, 16);
	if (errno || end == text || *end)
		fail("--caps: not a hexadecimal mask: %s", text);
	r->c->limit_caps = true;
}

bool process_option(struct reader *r)
{
	struct config *c = r->c;

	if (strcmp(r->option, "--chdir") == 0) {
		c->chdir = next_word(r);
	} else if (strcmp(r->option, "--user") == 0) {
		user_option(r);
	} else if (strcmp(r->option, "--clearenv") == 0) {
		clearenv();
	} else if (strcmp(r->option, "--setenv") == 0) {
		const char *key = next_word(r);

		if (setenv(key, next_word(r), 1) < 0)
			fail_errno("--setenv %s", key);
	} else if (strcmp(r->option, "--caps") == 0) {
		caps_option(r);
	} else if (strcmp(r->option, "--no-new-privs") == 0) {
		c->no_new_privs = true;
	} else if (strcmp(r->option, "--new-session") == 0) {
		c->new_session = true;
	} else if (strcmp(r->option, "--cloned-runtime") == 0) {
		c->cloned_runtime = true;
	} else if (strcmp(r->option, "--null-stdin") == 0) {
		c->null_stdin = true;
	} else if (strcmp(r->option, "--refusals") == 0) {
		for (int i = 0; i < 4; i++)
			c->refusals[i] = next_word(r);
	} else if (strcmp(r->option, "--cgroup") == 0) {
		if (c->cgroup_count >= CGROUPS_MAX)
			fail("more than %d --cgroup", CGROUPS_MAX);
		c->cgroups[c->cgroup_count++] = next_absolute(r);
	} else if (strcmp(r->option, "--watcher") == 0) {
		c->watcher_count = (size_t)next_number(r, WATCHER_MAX);
		c->watcher = r->at;
		for (size_t i = 0; i < c->watcher_count; i++)
			next_word(r);
	} else if (strcmp(r->option, "--fd-exec") == 0) {
		c->exec_fd = (int)next_number(r, INT_MAX);
	} else if (strcmp(r->option, "--keep-fd") == 0) {
		if (c->keep_count >= KEEP_FDS_MAX)
			fail("more than %d --keep-fd", KEEP_FDS_MAX);
		c->keep_fds[c->keep_count++] = (int)next_number(r, INT_MAX);
	} else {
		return false;
	}
	return true;
}
