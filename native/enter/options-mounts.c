// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "groups.h"
#include "report.h"

#define OPS_MAX 4096U
#define LOWERS_MAX 500U

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

static void add_lower(struct reader *r, const char *root)
{
	struct overlay *o = &r->pending;

	if (o->count >= LOWERS_MAX)
		fail("more than %u lower directories", LOWERS_MAX);
	o->lowers = must_realloc(o->lowers, o->count + 1, sizeof(*o->lowers));
	o->roots = must_realloc(o->roots, o->count + 1, sizeof(*o->roots));
	o->roots[o->count] = root;
	o->has_roots |= root != NULL;
	o->lowers[o->count++] = next_word(r);
}

/* add_overlay() - of all that was said before it. */
static void add_overlay(struct reader *r)
{
	struct overlay *o = &r->pending;
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
}

bool overlay_option(struct reader *r)
{
	struct overlay *o = &r->pending;

	if (strcmp(r->option, "--lower") == 0) {
		add_lower(r, NULL);
	} else if (strcmp(r->option, "--lower-within") == 0) {
		if (r->verb != VERB_LAUNCH)
			fail("%s: only for launch", r->option);
		add_lower(r, next_absolute(r));
	} else if (strcmp(r->option, "--upper") == 0) {
		o->upper = next_word(r);
	} else if (strcmp(r->option, "--work") == 0) {
		o->work = next_word(r);
	} else if (strcmp(r->option, "--source") == 0) {
		o->source = next_word(r);
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
		add_overlay(r);
	} else {
		return false;
	}
	return true;
}

static void read_only_word(struct reader *r, struct op *op)
{
	if (*r->at && strcmp(*r->at, "ro") == 0) {
		op->read_only = true;
		r->at++;
	}
}

static bool bind_option(struct reader *r)
{
	struct op *op;

	if (strcmp(r->option, "--bind") == 0 ||
	    strcmp(r->option, "--bind-root") == 0) {
		const char *source = next_word(r);
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
	} else {
		return false;
	}
	return true;
}

bool mount_option(struct reader *r)
{
	struct op *op;

	if (strcmp(r->option, "--tmpfs") == 0 ||
	    strcmp(r->option, "--dir") == 0) {
		bool dir = strcmp(r->option, "--dir") == 0;

		op = add_op(r, dir ? OP_DIR : OP_TMPFS, next_absolute(r));
		op->mode = (mode_t)parse_number(r->option, next_word(r), 8,
						07777);
	} else if (strcmp(r->option, "--proc") == 0) {
		add_op(r, OP_PROC, next_absolute(r));
	} else if (strcmp(r->option, "--dev") == 0) {
		add_op(r, OP_DEV, next_absolute(r));
	} else if (strcmp(r->option, "--sys") == 0) {
		add_op(r, OP_SYS, next_absolute(r));
	} else if (strcmp(r->option, "--disk") == 0) {
		const char *source = next_word(r);

		op = add_op(r, OP_DISK, next_absolute(r));
		op->source = source;
	} else if (strcmp(r->option, "--idmap") == 0) {
		const char *source = next_word(r);

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
		return bind_option(r);
	}
	return true;
}
