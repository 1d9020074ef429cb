// SPDX-License-Identifier: Apache-2.0
/*
 * Layers: looking names up (fs/overlayfs/namei.c). The own layer of a rule is
 * COPIES/N/upper, N its place in the descriptor; of a single file the directory
 * that it would be in. Who only reads asks for no lock.
 */
#include "layers.h"
#include "text.h"

#define S_IFCHR 0020000

bool layers_apply(uint32_t rule)
{
	return rule != NO_RULE &&
	       rule_get(rules_now(), rule).mode == RULE_WRITE_COPY;
}

bool layers_merged(uint32_t rule)
{
	struct rule r;

	if (rule == NO_RULE)
		return false;
	r = rule_get(rules_now(), rule);
	return r.mode == RULE_MERGED && !r.exact;
}

long layers_look(const char *path, struct file_status *st)
{
	return SYS(__NR_newfstatat, AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

static bool is_white(const struct file_status *st)
{
	return (st->mode & S_IFMT) == S_IFCHR && st->rdev == 0;
}

static bool is_closed(const char *directory)
{
	char value = 0;

	return (SYS(__NR_lgetxattr, directory, "trusted.overlay.opaque", &value,
		    1) == 1 && value == 'y') ||
	       (SYS(__NR_lgetxattr, directory, "user.overlay.opaque", &value,
		    1) == 1 && value == 'y');
}

/* The directory of a rule's own, and in it @name with what follows. */
bool layers_own_path(char *to, const struct rule *r, const char *name,
		     const char *rest)
{
	char number[24];

	text_decimal(number, (int64_t)r->declared);
	return text_join(to, PATH_SIZE, files.copies, "/") &&
	       text_join(to, PATH_SIZE, to, number) &&
	       text_join(to, PATH_SIZE, to, name) &&
	       text_join(to, PATH_SIZE, to, rest);
}

/* What of @location lies below the top of its own layer. */
const char *layers_rest(const struct rule *r, const char *location)
{
	if (r->exact)
		return strrchr(r->from, '/');
	if (r->from_length > 1)
		location += r->from_length;
	return strcmp(location, "/") ? location : "";
}

enum way { WAY_OPEN, WAY_CLOSED, WAY_WHITE, WAY_FILE };

/* What the own layer says on the way to @own, its last name aside: whether
 * layers below count. @top is the length of the layer's own directory. */
static enum way way_to(char *own, size_t top)
{
	enum way way = WAY_OPEN;
	struct file_status st;

	for (size_t at = top; own[at]; at++) {
		long result;

		if (at > top && own[at] != '/')
			continue;
		if (own[at] != '/')
			break;
		own[at] = 0;
		result = layers_look(own, &st);
		if (result == 0 && is_white(&st))
			way = WAY_WHITE;
		else if (result == 0 && (st.mode & S_IFMT) != S_IFDIR)
			way = WAY_FILE;
		else if (result == 0 && is_closed(own))
			way = WAY_CLOSED;
		own[at] = '/';
		if (result < 0 || way == WAY_WHITE || way == WAY_FILE)
			break;
	}
	return way;
}

/* A path that the kernel does not find. */
static void nowhere(struct layered *l)
{
	l->where = LAYER_NONE;
	l->error = -ENOENT;
	text_join(l->real, PATH_SIZE, files.copies, "/none");
}

static size_t top_of(const struct rule *r, const char *own,
		     const char *location)
{
	return strlen(own) - strlen(layers_rest(r, location));
}

/* The own layer first, and what it says of those below. */
static long find_own(struct layered *l, const struct rule *r,
		     const char *location, struct file_status *st)
{
	long result;

	if (!layers_own_path(l->own, r, "/upper", layers_rest(r, location)))
		return -ENAMETOOLONG;
	result = layers_look(l->own, st);
	if (result == 0 && is_white(st)) {
		nowhere(l);
		l->white = true;
	} else if (result == -ENOENT || result == -ENOTDIR) {
		switch (way_to(l->own, top_of(r, l->own, location))) {
		case WAY_OPEN:
			result = layers_find_below(l, r, location, st);
			if (result < 0)
				return result;
			if (l->where == LAYER_NONE && l->error == -ENOENT)
				nowhere(l);
			break;
		case WAY_FILE:
			l->where = LAYER_NONE;
			l->error = -ENOTDIR;
			text_copy(l->real, PATH_SIZE, l->own);
			break;
		default:
			nowhere(l);
		}
	} else {
		l->where = LAYER_OWN;
		text_copy(l->real, PATH_SIZE, l->own);
	}
	return 0;
}

long layers_find(struct layered *l, uint32_t rule, const char *location)
{
	struct rule r = rule_get(rules_now(), rule);
	struct file_status st = { 0 };
	long result;

	l->white = false;
	l->error = 0;
	if (r.mode != RULE_MERGED)
		result = find_own(l, &r, location, &st);
	else if (text_copy(l->own, PATH_SIZE, location))
		result = layers_find_below(l, &r, location, &st);
	else
		result = -ENAMETOOLONG;
	if (result < 0)
		return result;
	l->mode = l->where == LAYER_NONE ? 0 : st.mode;
	l->uid = st.uid;
	l->gid = st.gid;
	return 0;
}

bool layers_below(uint32_t rule, const char *location)
{
	struct rule r = rule_get(rules_now(), rule);
	struct file_status st;
	struct layered l;

	if (!layers_own_path(l.own, &r, "/upper", layers_rest(&r, location)) ||
	    way_to(l.own, top_of(&r, l.own, location)) != WAY_OPEN)
		return false;
	return layers_find_below(&l, &r, location, &st) == 0 && l.where != LAYER_NONE;
}

long layers_parent(uint32_t rule, const char *location, bool itself)
{
	struct rule r = rule_get(rules_now(), rule);
	char parent[PATH_SIZE];
	struct layered l;
	char *slash;
	long result;

	if (!itself && (r.exact || !*layers_rest(&r, location)))
		return 0;
	text_copy(parent, PATH_SIZE, location);
	slash = strrchr(parent, '/');
	if (!itself)
		slash[slash == parent] = 0;
	result = layers_find(&l, rule, parent);
	if (result < 0)
		return result;
	if (l.where == LAYER_NONE)
		return l.error;
	return (l.mode & S_IFMT) == S_IFDIR ? 0 : -ENOTDIR;
}

static bool is_directory_at(const char *path)
{
	struct file_status st;

	return layers_look(path, &st) == 0 && (st.mode & S_IFMT) == S_IFDIR;
}

unsigned int layers_directories(uint32_t rule, const char *location,
				char (*real)[PATH_SIZE], bool *lower)
{
	struct rule r = rule_get(rules_now(), rule);
	struct file_status st;
	struct layered l;
	unsigned int n = 0;

	*lower = false;
	if (layers_find(&l, rule, location) < 0 || l.where == LAYER_NONE)
		return 0;
	if (l.where == LAYER_OWN) {
		text_copy(real[n++], PATH_SIZE, l.own);
		if (is_closed(l.own) ||
		    way_to(l.own, top_of(&r, l.own, location)) != WAY_OPEN ||
		    layers_find_below(&l, &r, location, &st) < 0 ||
		    l.where == LAYER_NONE || !is_directory_at(l.real))
			return n;
	}
	*lower = true;
	text_copy(real[n++], PATH_SIZE, l.real);
	if (l.where == LAYER_PACKAGE && layers_find_host(&l, &r, location, &st) &&
	    (st.mode & S_IFMT) == S_IFDIR)
		text_copy(real[n++], PATH_SIZE, l.real);
	return n;
}
