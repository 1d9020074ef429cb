// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "report.h"

#define ARGS_MAX (8U << 20)
#define WORDS_MAX 100000U
#define OPS_MAX 4096U
#define WATCHER_MAX 100
#define LOWERS_MAX 500U

/* The words still to be read, and the overlay being put together. */
struct reader {
	struct config *c;
	enum verb verb;
	char **at;
	const char *option;
	struct overlay pending;
};

static void *must_realloc(void *p, size_t count, size_t size)
{
	void *grown = reallocarray(p, count, size);

	if (!grown)
		fail_errno("cannot allocate memory");
	return grown;
}

static const char *next(struct reader *r)
{
	if (!*r->at)
		fail("%s needs a value", r->option);
	return *r->at++;
}

static long number(const char *option, const char *text, int base, long max)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, base);
	if (errno || end == text || *end || value < 0 || value > max)
		fail("%s: not a number from 0 to %ld: %s", option, max, text);
	return value;
}

static long next_number(struct reader *r, long max)
{
	return number(r->option, next(r), 10, max);
}

static pid_t next_pid(struct reader *r)
{
	long pid = next_number(r, INT_MAX);

	if (pid == 0)
		fail("%s: 0 is not a process", r->option);
	return (pid_t)pid;
}

static const char *next_absolute(struct reader *r)
{
	const char *path = next(r);

	if (path[0] != '/')
		fail("%s: not an absolute path: %s", r->option, path);
	return path;
}

static struct op *add_op(struct reader *r, enum op_type type,
			 const char *target)
{
	struct config *c = r->c;
	struct op *op;

	if (c->op_count >= OPS_MAX)
		fail("more than %u mounts", OPS_MAX);
	if (strcmp(target, "/") == 0) {
		if (r->verb != VERB_SANDBOX)
			fail("%s: only a sandbox has a root of its own",
			     r->option);
		if (c->op_count > 0)
			fail("%s: the root comes first and once", r->option);
		c->has_root = true;
	}
	c->ops = must_realloc(c->ops, c->op_count + 1, sizeof(*c->ops));
	op = &c->ops[c->op_count++];
	memset(op, 0, sizeof(*op));
	op->type = type;
	op->target = target;
	op->fd = -1;
	return op;
}

static void read_only_word(struct reader *r, struct op *op)
{
	if (*r->at && strcmp(*r->at, "ro") == 0) {
		op->read_only = true;
		r->at++;
	}
}

static void add_lower(struct reader *r, const char *root)
{
	struct overlay *o = &r->pending;

	if (o->count >= LOWERS_MAX)
		fail("more than %u lower directories", LOWERS_MAX);
	o->lowers = must_realloc(o->lowers, o->count + 1, sizeof(*o->lowers));
	o->roots = must_realloc(o->roots, o->count + 1, sizeof(*o->roots));
	o->roots[o->count] = root;
	o->has_roots |= root != NULL;
	o->lowers[o->count++] = next(r);
}

static bool overlay_option(struct reader *r)
{
	struct overlay *o = &r->pending;

	if (strcmp(r->option, "--lower") == 0) {
		add_lower(r, NULL);
	} else if (strcmp(r->option, "--lower-within") == 0) {
		if (r->verb != VERB_LAUNCH)
			fail("%s: only for launch", r->option);
		add_lower(r, next_absolute(r));
	} else if (strcmp(r->option, "--upper") == 0) {
		o->upper = next(r);
	} else if (strcmp(r->option, "--work") == 0) {
		o->work = next(r);
	} else if (strcmp(r->option, "--source") == 0) {
		o->source = next(r);
	} else if (strcmp(r->option, "--scratch") == 0) {
		o->scratch = true;
	} else if (strcmp(r->option, "--volatile") == 0) {
		o->sync_off = true;
	} else if (strcmp(r->option, "--renames") == 0) {
		o->renames = true;
	} else if (strcmp(r->option, "--links") == 0) {
		o->links = true;
	} else if (strcmp(r->option, "--nodev") == 0) {
		o->nodev = true;
	} else if (strcmp(r->option, "--nosuid") == 0) {
		o->nosuid = true;
	} else if (strcmp(r->option, "--ro") == 0) {
		o->read_only = true;
	} else if (strcmp(r->option, "--overlay") == 0) {
		struct op *op = add_op(r, OP_OVERLAY, next_absolute(r));

		if (o->count == 0)
			fail("--overlay %s: no --lower before it", op->target);
		if (!o->upper != !o->work)
			fail("--overlay %s: --upper and --work go together",
			     op->target);
		if (o->upper && o->scratch)
			fail("--overlay %s: --scratch or --upper, not both",
			     op->target);
		op->overlay = *o;
		memset(o, 0, sizeof(*o));
	} else {
		return false;
	}
	return true;
}

static bool mount_option(struct reader *r)
{
	struct op *op;

	if (strcmp(r->option, "--bind") == 0 ||
	    strcmp(r->option, "--bind-root") == 0) {
		const char *source = next(r);
		bool root = strcmp(r->option, "--bind-root") == 0;

		op = add_op(r, OP_BIND, root ? "/" : next_absolute(r));
		op->source = source;
		read_only_word(r, op);
	} else if (strcmp(r->option, "--bind-from-pid") == 0) {
		pid_t pid = next_pid(r);
		const char *source = next_absolute(r);

		op = add_op(r, OP_BIND_FROM, next_absolute(r));
		op->pid = pid;
		op->source = source;
		read_only_word(r, op);
	} else if (strcmp(r->option, "--bind-within") == 0) {
		const char *root = next_absolute(r);
		const char *source = next_absolute(r);

		if (r->verb != VERB_LAUNCH)
			fail("%s: only for launch", r->option);
		op = add_op(r, OP_BIND_WITHIN, next_absolute(r));
		op->root = root;
		op->source = source;
		read_only_word(r, op);
	} else if (strcmp(r->option, "--tmpfs") == 0 ||
		   strcmp(r->option, "--dir") == 0) {
		bool dir = strcmp(r->option, "--dir") == 0;

		op = add_op(r, dir ? OP_DIR : OP_TMPFS, next_absolute(r));
		op->mode = (mode_t)number(r->option, next(r), 8, 07777);
	} else if (strcmp(r->option, "--proc") == 0) {
		add_op(r, OP_PROC, next_absolute(r));
	} else if (strcmp(r->option, "--dev") == 0) {
		add_op(r, OP_DEV, next_absolute(r));
	} else if (strcmp(r->option, "--sys") == 0) {
		add_op(r, OP_SYS, next_absolute(r));
	} else if (strcmp(r->option, "--disk") == 0) {
		const char *source = next(r);

		op = add_op(r, OP_DISK, next_absolute(r));
		op->source = source;
	} else if (strcmp(r->option, "--idmap") == 0) {
		const char *source = next(r);

		if (!r->c->userns_dir)
			fail("%s: no --userns before it", r->option);
		op = add_op(r, OP_IDMAP, next_absolute(r));
		op->source = source;
	} else if (strcmp(r->option, "--hide-cgroup2") == 0) {
		add_op(r, OP_HIDE_CGROUP2,
		       "/sys/fs/cgroup/unified/cgroup.controllers");
	} else if (strcmp(r->option, "--old-mount-api") == 0) {
		r->c->old_mount_api = true;
	} else {
		return false;
	}
	return true;
}

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
	v->name = next(r);
	v->bridge = next(r);
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
		v->addresses[v->address_count++] = next(r);
	} else if (strcmp(r->option, "--gateway") == 0) {
		struct veth *v = last_veth(r);

		if (v->gateway_count >= 2)
			fail("more than 2 gateways");
		v->gateways[v->gateway_count++] = next(r);
	} else if (strcmp(r->option, "--mac") == 0) {
		last_veth(r)->mac = next(r);
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
		c->lo_addresses[c->lo_count++] = next(r);
	} else if (strcmp(r->option, "--route-localnet") == 0) {
		c->route_localnet = true;
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
		c->unplugs[c->unplug_count++] = next(r);
	} else if (strcmp(r->option, "--route") == 0) {
		if (c->route_count >= 2)
			fail("more than 2 default routes");
		c->routes[c->route_count++] = next(r);
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

static bool namespace_option(struct reader *r)
{
	struct config *c = r->c;

	if (strcmp(r->option, "--network") == 0) {
		const char *word = next(r);

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
		join_list(r, next(r));
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
		c->hostname = next(r);
	} else if (strcmp(r->option, "--domainname") == 0) {
		c->domainname = next(r);
	} else if (strcmp(r->option, "--userns") == 0) {
		userns_option(r);
	} else {
		return veth_option(r) || inner_option(r) || rewire_option(r);
	}
	return true;
}

static void user_option(struct reader *r)
{
	struct config *c = r->c;
	char *text = strdup(next(r));
	char *gid = text ? strchr(text, ':') : NULL;
	char *groups = gid ? strchr(gid + 1, ':') : NULL;
	char *save = NULL;

	if (!gid)
		fail("--user: UID:GID[:GROUP,...] expected");
	*gid++ = 0;
	if (groups)
		*groups++ = 0;
	c->set_user = true;
	c->uid = (uid_t)number("--user", text, 10, 0xfffffffeL);
	c->gid = (gid_t)number("--user", gid, 10, 0xfffffffeL);
	for (char *g = groups ? strtok_r(groups, ",", &save) : NULL; g;
	     g = strtok_r(NULL, ",", &save)) {
		if (c->group_count >= GROUPS_MAX)
			fail("--user: more than %d groups", GROUPS_MAX);
		c->groups[c->group_count++] =
			(gid_t)number("--user", g, 10, 0xfffffffeL);
	}
	free(text);
}

static void caps_option(struct reader *r)
{
	const char *text = next(r);
	char *end;

	errno = 0;
	r->c->caps = strtoull(text, &end, 16);
	if (errno || end == text || *end)
		fail("--caps: not a hexadecimal mask: %s", text);
	r->c->limit_caps = true;
}

static bool process_option(struct reader *r)
{
	struct config *c = r->c;

	if (strcmp(r->option, "--chdir") == 0) {
		c->chdir = next(r);
	} else if (strcmp(r->option, "--user") == 0) {
		user_option(r);
	} else if (strcmp(r->option, "--clearenv") == 0) {
		clearenv();
	} else if (strcmp(r->option, "--setenv") == 0) {
		const char *key = next(r);

		if (setenv(key, next(r), 1) < 0)
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
			c->refusals[i] = next(r);
	} else if (strcmp(r->option, "--watcher") == 0) {
		c->watcher_count = (size_t)next_number(r, WATCHER_MAX);
		c->watcher = r->at;
		for (size_t i = 0; i < c->watcher_count; i++)
			next(r);
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

static char *read_fd(int fd, size_t *size)
{
	char *text = NULL;
	size_t used = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (used + 1 >= room) {
			room = room ? room * 2 : 65536;
			if (room > ARGS_MAX)
				fail("--args-fd: more than %u bytes", ARGS_MAX);
			text = must_realloc(text, room, 1);
		}
		n = read(fd, text + used, room - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_errno("--args-fd: cannot read descriptor %d", fd);
		if (n == 0)
			break;
		used += (size_t)n;
	}
	text[used] = 0;
	*size = used;
	return text;
}

/**
 * words_of() - the command line, with NUL-terminated words from a descriptor
 * put in the place of `--args-fd N`: any bytes can be said there, and secrets
 * do not show in the list of processes.
 */
static char **words_of(char **args)
{
	char **words = NULL;
	size_t count = 0;
	bool command = false;

	for (; *args; args++) {
		char *text, *end;
		size_t size;
		int fd;

		words = must_realloc(words, count + 2, sizeof(*words));
		command = command || strcmp(*args, "--") == 0;
		if (command || strcmp(*args, "--args-fd") != 0 || !args[1]) {
			words[count++] = *args;
			continue;
		}
		fd = (int)number("--args-fd", *++args, 10, INT_MAX);
		text = read_fd(fd, &size);
		close(fd);
		end = text + size;
		if (size > 0 && end[-1] != 0)
			fail("--args-fd: the last word is not closed by NUL");
		for (; text < end; text += strlen(text) + 1) {
			if (count >= WORDS_MAX)
				fail("more than %u words", WORDS_MAX);
			words = must_realloc(words, count + 2, sizeof(*words));
			words[count++] = text;
			command = command || strcmp(text, "--") == 0;
		}
	}
	words = must_realloc(words, count + 1, sizeof(*words));
	words[count] = NULL;
	return words;
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

/* read_word() - Return: NULL at the end. */
static char *read_word(int fd)
{
	static char buf[65536];
	static size_t used, filled;
	size_t size = 0, room = 128;
	char *word = must_realloc(NULL, room, 1);

	for (;;) {
		if (used == filled) {
			ssize_t n = read(fd, buf, sizeof(buf));

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return NULL;
			used = 0;
			filled = (size_t)n;
		}
		if (size == room) {
			room *= 2;
			if (room > ARGS_MAX)
				fail("--stages: more than %u bytes", ARGS_MAX);
			word = must_realloc(word, room, 1);
		}
		word[size++] = buf[used++];
		if (!word[size - 1])
			return word;
	}
}

bool parse_stage(struct config *c)
{
	struct reader r = { .c = c, .verb = VERB_LAUNCH };
	const char *text = read_word(c->stages_fd);
	size_t count, i = 0;

	if (!text)
		return false;
	count = (size_t)number("--stages", text, 10, WORDS_MAX);
	r.at = must_realloc(NULL, count + 1, sizeof(*r.at));
	for (; i < count; i++)
		if (!(r.at[i] = read_word(c->stages_fd)))
			return false;
	r.at[i] = NULL;
	c->ops = NULL;
	c->op_count = 0;
	c->veth_count = 0;
	c->rules = NULL;
	c->lo_count = 0;
	c->route_localnet = false;
	read_options(&r);
	if (*r.at && !r.at[1])
		fail("no command after --");
	c->argv = *r.at ? r.at + 1 : NULL;
	return true;
}
