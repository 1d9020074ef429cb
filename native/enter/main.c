// SPDX-License-Identifier: Apache-2.0
/*
 * enter: namespaces, mounts and network for one command, then exec.
 *
 * Theory. Everything made here lives in a namespace that dies with its last
 * process, so that kill -9 of anyone at any moment leaves nothing: mounts are
 * attached only in a mount namespace of our own, and the end of a veth pair
 * that stays on the host goes with the one inside. There is no clean-up code,
 * because there is no moment at which it would be needed. What outlives us on
 * purpose (a bridge, a directory) was named by the caller, who keeps a journal.
 * docs/internals/enter.md says who keeps whom alive.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "address.h"
#include "beside.h"
#include "bind.h"
#include "bridge.h"
#include "die.h"
#include "flows.h"
#include "identity.h"
#include "inner.h"
#include "joined.h"
#include "link.h"
#include "mounts.h"
#include "netlink.h"
#include "options.h"
#include "process.h"
#include "report.h"
#include "shape.h"
#include "userns.h"
#include "veth.h"

static void unshare_or_fail(int flags)
{
	if (flags && unshare(flags) < 0)
		fail_errno("cannot make namespaces");
}

static void set_hostname(const struct config *c)
{
	if (c->hostname && sethostname(c->hostname, strlen(c->hostname)) < 0)
		fail_errno("cannot set the host name %s", c->hostname);
}

/* set_domainname() - in a namespace that the OCI runtime copies: the root of a
 * user namespace may call, but not write to /proc/sys. */
static void set_domainname(const struct config *c)
{
	if (!c->domainname)
		return;
	unshare_or_fail(CLONE_NEWUTS);
	if (setdomainname(c->domainname, strlen(c->domainname)) < 0)
		fail_errno("cannot set the domain name %s", c->domainname);
}

static int sandbox(struct config *c)
{
	struct joined j = open_joined(c);
	int flags = 0;

	if (c->net == NET_NONE || c->net == NET_OWN)
		flags |= CLONE_NEWNET;
	for (int i = NS_IPC; i <= NS_PID; i++)
		if (i != NS_CGROUP && !c->join[i])
			flags |= ns_flags[i];
	if (c->hostname && c->join[NS_UTS])
		fail("--hostname and --join-uts exclude each other");
	bind_fetch(c);
	enter_joined(&j);
	unshare_or_fail(flags);
	if (c->net == NET_OWN)
		net_loopback_up();
	set_hostname(c);
	process_split(c);
	/* Here in the new pid namespace, which proc is mounted for. */
	mounts_private();
	mounts_open(c);
	mounts_stage();
	mounts_perform(c);
	mounts_finish();
	process_ready();
	process_guard(c);
}

static int join(struct config *c)
{
	struct joined j = open_joined(c);

	if (c->op_count > 0)
		fail("join mounts nothing; a sandbox can join namespaces");
	enter_joined(&j);
	process_split(c);
	if (c->root && (chroot(c->root) < 0 || chdir("/") < 0))
		fail_errno("cannot enter %s", c->root);
	identity_take(c);
	process_tie();
	process_ready();
	process_exec(c);
}

static void plug_in(const struct config *c, int host)
{
	for (size_t i = 0; i < c->veth_count; i++)
		net_veth(host, &c->veths[i]);
}

/* rewire() - the network of a running instance: what is taken away first, so
 * that its addresses and names are free for what comes. */
static int rewire(struct config *c)
{
	struct joined j = open_joined(c);
	int host = net_open();

	for (size_t i = 0; i < c->unplug_count; i++)
		net_unplug(host, c->unplugs[i]);
	enter_joined(&j);
	plug_in(c, host);
	for (size_t i = 0; i < c->route_count; i++)
		net_route(c->routes[i]);
	return 0;
}

/*
 * launch_in_stages() - what every launch needs is made at once, the rest as it
 * comes: whoever starts us has other things to do before he knows all of it.
 * The network is always our own. Where the parts end without a command we were
 * not needed, and there is nothing to say about it.
 */
static int launch_in_stages(struct config *c)
{
	int host;

	/* Nobody has asked for anything yet. */
	fail_silently = true;
	host = net_open();
	unshare_or_fail(CLONE_NEWNET);
	mounts_private();
	/* In this namespace: of another one an overlay takes no directory. */
	if (c->base)
		c->base_fd = open(c->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->base_fd == -1)
		return EXIT_SETUP;
	net_loopback_up();
	report_pid(getpid());
	if (status_fd >= 0)
		close(status_fd);
	status_fd = -1;		/* who started us has heard enough */
	fail_silently = false;
	do {
		if (!parse_stage(c))
			return EXIT_SETUP;
		bind_fetch(c);
		mounts_open(c);
		mounts_perform(c);
		if (c->net == NET_JOIN)
			fail("--stages: the network is always its own");
		plug_in(c, host);
		inner_set_up(c);
	} while (!c->argv);
	beside_watch(c);
	beside_wait(beside_start(c));
	set_domainname(c);
	identity_take(c);
	process_exec(c);
}

static void new_network(const struct config *c)
{
	if (c->userns_dir)
		userns_network(c);
	else
		unshare_or_fail(CLONE_NEWNET);
}

static int launch(struct config *c)
{
	struct joined j;
	int host, beside;

	if (c->stages_fd >= 0)
		return launch_in_stages(c);
	host = c->veth_count > 0 ? net_open() : -1;
	beside_watch(c);
	beside = beside_start(c);
	j = open_joined(c);

	bind_fetch(c);
	if (c->userns_dir)
		userns_make(c);
	enter_joined(&j);
	if (c->net == NET_OWN || c->net == NET_NONE)
		new_network(c);
	mounts_private();
	if (c->userns_dir)
		userns_show(c);
	mounts_open(c);
	mounts_perform(c);
	if (c->net == NET_OWN)
		net_loopback_up();
	plug_in(c, host);
	inner_set_up(c);
	report_pid(getpid());
	process_wait_word(c);
	beside_wait(beside);
	set_domainname(c);
	identity_take(c);
	process_exec(c);
}

/* Whether this host lets us do what instances need: filters (of a container, of a
 * service of systemd with RestrictNamespaces=) and security modules may say no to
 * root too. */
static int probe(void)
{
	if (geteuid() != 0)
		unshare_or_fail(CLONE_NEWUSER);
	unshare_or_fail(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
			CLONE_NEWNET);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail_errno("cannot mount");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		enum verb verb;
		int (*run)(struct config *c);
	} verbs[] = {
		{ "sandbox", VERB_SANDBOX, sandbox },
		{ "join", VERB_JOIN, join },
		{ "launch", VERB_LAUNCH, launch },
		{ "rewire", VERB_REWIRE, rewire },
	};
	struct config c = { 0 };

	program_name = "enter";
	if (argc > 1 && strcmp(argv[1], "probe") == 0)
		return probe();
	if (argc > 1 && strcmp(argv[1], "bridge") == 0)
		return bridge_main(argv + 2);
	if (argc > 1 && strcmp(argv[1], "shape") == 0)
		return shape_main(argv + 2);
	if (argc > 1 && strcmp(argv[1], "flows") == 0)
		return flows_main(argv + 2);
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]);
	     i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		parse_options(&c, verbs[i].verb, argv + 2);
		process_begin(&c);
		return verbs[i].run(&c);
	}
	fail("expected: sandbox, join, launch, rewire, bridge, shape, flows or probe");
}
