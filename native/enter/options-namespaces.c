// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <string.h>

#include "groups.h"
#include "report.h"

static const char *const ns_words[NS_KINDS] = {
	"net", "ipc", "uts", "cgroup", "pid", "mnt", "user",
};

static void join_list(struct reader *r, const char *list)
{
	memset(r->c->join, 0, sizeof(r->c->join));
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ",");
		int kind = 0;

		while (kind < NS_KINDS && (strlen(ns_words[kind]) != n ||
					   strncmp(p, ns_words[kind], n) != 0))
			kind++;
		if (kind == NS_KINDS)
			fail("%s: no such namespace: %.*s", r->option, (int)n,
			     p);
		r->c->join[kind] = r->c->target;
		p += n;
		if (*p == ',')
			p++;
	}
}

static struct veth *last_veth(struct reader *r)
{
	if (r->c->veth_count == 0)
		fail("%s: no --veth before it", r->option);
	return &r->c->veths[r->c->veth_count - 1];
}

static void add_veth(struct reader *r)
{
	struct config *c = r->c;
	struct veth *v;

	if (c->veth_count >= VETHS_MAX)
		fail("more than %d networks", VETHS_MAX);
	v = &c->veths[c->veth_count++];
	memset(v, 0, sizeof(*v));
	v->name = next_word(r);
	v->bridge = next_word(r);
	if (r->verb != VERB_REWIRE)
		c->net = NET_OWN;
}

static bool veth_option(struct reader *r)
{
	if (strcmp(r->option, "--veth") == 0) {
		add_veth(r);
	} else if (strcmp(r->option, "--address") == 0) {
		struct veth *v = last_veth(r);

		if (v->address_count >= ADDRESSES_MAX)
			fail("more than %d addresses", ADDRESSES_MAX);
		v->addresses[v->address_count++] = next_word(r);
	} else if (strcmp(r->option, "--gateway") == 0) {
		struct veth *v = last_veth(r);

		if (v->gateway_count >= 2)
			fail("more than 2 gateways");
		v->gateways[v->gateway_count++] = next_word(r);
	} else if (strcmp(r->option, "--mac") == 0) {
		last_veth(r)->mac = next_word(r);
	} else if (strcmp(r->option, "--hairpin") == 0) {
		last_veth(r)->hairpin = true;
	} else if (strcmp(r->option, "--ingress") == 0) {
		last_veth(r)->ingress = (uint64_t)next_number(r, LONG_MAX);
	} else if (strcmp(r->option, "--egress") == 0) {
		last_veth(r)->egress = (uint64_t)next_number(r, LONG_MAX);
	} else {
		return false;
	}
	return true;
}

static bool inner_option(struct reader *r)
{
	struct config *c = r->c;

	if (strcmp(r->option, "--rules") == 0) {
		c->rules = next_absolute(r);
	} else if (strcmp(r->option, "--lo-address") == 0) {
		if (c->lo_count >= ADDRESSES_MAX)
			fail("more than %d addresses", ADDRESSES_MAX);
		c->lo_addresses[c->lo_count++] = next_word(r);
	} else if (strcmp(r->option, "--route-localnet") == 0) {
		c->route_localnet = true;
	} else if (strcmp(r->option, "--net-setting") == 0) {
		if (c->setting_count >= SETTINGS_MAX)
			fail("more than %d settings", SETTINGS_MAX);
		c->settings[c->setting_count++] = next_word(r);
	} else {
		return false;
	}
	return true;
}

static bool rewire_option(struct reader *r)
{
	struct config *c = r->c;

	if (r->verb != VERB_REWIRE)
		return false;
	if (strcmp(r->option, "--unplug") == 0) {
		if (c->unplug_count >= VETHS_MAX)
			fail("more than %d networks", VETHS_MAX);
		c->unplugs[c->unplug_count++] = next_word(r);
	} else if (strcmp(r->option, "--route") == 0) {
		if (c->route_count >= 2)
			fail("more than 2 default routes");
		c->routes[c->route_count++] = next_word(r);
	} else {
		return false;
	}
	return true;
}

static void userns_option(struct reader *r)
{
	struct config *c = r->c;
	const char *dir = next_absolute(r);

	if (r->verb != VERB_LAUNCH || c->stages_fd >= 0)
		fail("%s: only for launch, without --stages", r->option);
	c->userns_first = (unsigned int)next_number(r, UINT32_MAX - 1);
	c->userns_count = (unsigned int)next_number(r, UINT32_MAX - 1);
	if (c->userns_first == 0 || c->userns_count == 0 ||
	    c->userns_count >= UINT32_MAX - c->userns_first)
		fail("%s: not a range of ids of others than root: %u %u",
		     r->option, c->userns_first, c->userns_count);
	c->userns_dir = dir;
}

bool namespace_option(struct reader *r)
{
	struct config *c = r->c;

	if (strcmp(r->option, "--network") == 0) {
		const char *word = next_word(r);

		if (strcmp(word, "host") == 0)
			c->net = NET_HOST;
		else if (strcmp(word, "none") == 0)
			c->net = NET_NONE;
		else if (strcmp(word, "own") == 0)
			c->net = NET_OWN;
		else
			fail("--network: host, none or own, not %s", word);
	} else if (strcmp(r->option, "--namespaces") == 0 &&
		   r->verb == VERB_JOIN) {
		join_list(r, next_word(r));
	} else if (strcmp(r->option, "--join-net") == 0) {
		c->join[NS_NET] = next_pid(r);
		c->net = NET_JOIN;
	} else if (strcmp(r->option, "--expect-net") == 0) {
		c->expect_net = (unsigned long)next_number(r, LONG_MAX);
	} else if (strcmp(r->option, "--join-ipc") == 0) {
		c->join[NS_IPC] = next_pid(r);
	} else if (strcmp(r->option, "--join-uts") == 0) {
		c->join[NS_UTS] = next_pid(r);
	} else if (strcmp(r->option, "--join-pid") == 0) {
		c->join[NS_PID] = next_pid(r);
	} else if (strcmp(r->option, "--root") == 0) {
		c->root = next_absolute(r);
	} else if (strcmp(r->option, "--hostname") == 0) {
		c->hostname = next_word(r);
	} else if (strcmp(r->option, "--domainname") == 0) {
		c->domainname = next_word(r);
	} else if (strcmp(r->option, "--userns") == 0) {
		userns_option(r);
	} else {
		return veth_option(r) || inner_option(r) || rewire_option(r);
	}
	return true;
}
