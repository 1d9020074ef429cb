// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "groups.h"
#include "report.h"

static bool life_option(struct reader *r)
{
	struct config *c = r->c;

	if (strcmp(r->option, "--status-fd") == 0)
		status_fd = (int)next_number(r, INT_MAX);
	else if (strcmp(r->option, "--wait-fd") == 0)
		c->wait_fd = (int)next_number(r, INT_MAX);
	else if (strcmp(r->option, "--stages") == 0)
		c->stages_fd = (int)next_number(r, INT_MAX);
	else if (strcmp(r->option, "--base") == 0)
		c->base = next_absolute(r);
	else if (strcmp(r->option, "--parent") == 0)
		c->parent = next_pid(r);
	else if (strcmp(r->option, "--survive-parent") == 0)
		c->survive_parent = true;
	else if (strcmp(r->option, "--linger-orphans") == 0)
		c->linger = true;
	else
		return false;
	return true;
}

/* read_options() - up to the command or to the last word. */
static void read_options(struct reader *r)
{
	while (*r->at && strcmp(*r->at, "--") != 0) {
		r->option = *r->at++;
		if (!overlay_option(r) && !mount_option(r) &&
		    !namespace_option(r) && !process_option(r) &&
		    !life_option(r))
			fail("unknown option: %s", r->option);
	}
	if (r->pending.count > 0 || r->pending.upper)
		fail("--lower or --upper without an --overlay after it");
}

void parse_options(struct config *c, enum verb verb, char **args)
{
	struct reader r = { .c = c, .verb = verb };

	c->exec_fd = -1;
	c->wait_fd = -1;
	c->stages_fd = -1;
	c->base_fd = AT_FDCWD;
	c->net = verb == VERB_SANDBOX ? NET_NONE : NET_HOST;
	c->survive_parent = verb == VERB_LAUNCH || verb == VERB_REWIRE;
	r.at = words_of(args);
	if (verb == VERB_JOIN) {
		r.option = "join";
		c->target = next_pid(&r);
		for (int i = 0; i < NS_USER; i++)
			c->join[i] = c->target;
	} else if (verb == VERB_REWIRE) {
		r.option = "rewire";
		c->target = next_pid(&r);
		c->join[NS_NET] = c->target;
	}
	read_options(&r);
	if (verb == VERB_REWIRE) {
		if (*r.at || c->op_count > 0)
			fail("rewire changes the network and nothing else");
		return;
	}
	if (c->stages_fd >= 0) {
		if (verb != VERB_LAUNCH || *r.at || c->op_count > 0)
			fail("--stages: only launch, without mounts or command");
		return;
	}
	if (!*r.at || !r.at[1])
		fail("no command after --");
	c->argv = r.at + 1;
	if (verb == VERB_SANDBOX && !c->has_root)
		fail("a sandbox needs a root: --bind-root or --overlay /");
}

bool parse_stage(struct config *c)
{
	struct reader r = { .c = c, .verb = VERB_LAUNCH };
	const char *text = received_word(c->stages_fd);
	size_t count, i = 0;

	if (!text)
		return false;
	count = (size_t)parse_number("--stages", text, 10, WORDS_MAX);
	r.at = must_realloc(NULL, count + 1, sizeof(*r.at));
	for (; i < count; i++)
		if (!(r.at[i] = received_word(c->stages_fd)))
			return false;
	r.at[i] = NULL;
	c->ops = NULL;
	c->op_count = 0;
	c->veth_count = 0;
	c->rules = NULL;
	c->lo_count = 0;
	c->route_localnet = false;
	c->setting_count = 0;
	read_options(&r);
	if (*r.at && !r.at[1])
		fail("no command after --");
	c->argv = *r.at ? r.at + 1 : NULL;
	return true;
}
