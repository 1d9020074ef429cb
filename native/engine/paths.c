// SPDX-License-Identifier: Apache-2.0
/*
 * From a path to a location, name by name as the kernel walks, and from there
 * to a real path.
 *
 * Most paths have nothing to do with any rule, and go to the kernel as they
 * are. A link on their way may still lead to a rule's place. Such a place is
 * mostly not there on the host, which is why it is redirected: the kernel then
 * says ENOENT, and only then the way is walked (path_exact). Where the host
 * has the place as well, every path is walked.
 *
 * That a directory and all above it are no links is remembered for a moment
 * (VERIFIED_NS); what this process changes itself makes it forget at once.
 */
#include "engine.h"
#include "layers.h"
#include "log.h"
#include "paths.h"
#include "places.h"
#include "root.h"
#include "sys.h"
#include "text.h"
#include "vdso.h"

#define LINKS_MAX 40
#define NAME_BYTES 255
#define VERIFIED 256
#define VERIFIED_NS 50000000LL

struct files files;
static unsigned int changes;

static struct { uint64_t key; int64_t until; unsigned int change; }
	verified[VERIFIED];

void paths_changed(void)
{
	__atomic_add_fetch(&changes, 1, __ATOMIC_RELAXED);
}

static uint64_t hash(const char *text, size_t n)
{
	uint64_t h = 0x9e3779b97f4a7c15ULL ^ n, word;
	size_t i = 0;

	for (; i + sizeof(word) <= n; i += sizeof(word)) {
		__builtin_memcpy(&word, text + i, sizeof(word));
		h = (h ^ word) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	for (; i < n; i++)
		h = (h ^ (unsigned char)text[i]) * 0xff51afd7ed558ccdULL;
	return h ^ h >> 32;
}

/* The same location is another's by other rules. */
static uint64_t key_of(const char *location, size_t n)
{
	return hash(location, n) ^
	       thread_self()->rules->changes * 0xc2b2ae3d27d4eb4fULL;
}

/* A torn entry has a wrong key, or a right one and another's few ms. */
static bool is_verified(const char *location, size_t n)
{
	uint64_t key = key_of(location, n);
	unsigned int slot = key % VERIFIED;

	return __atomic_load_n(&verified[slot].key, __ATOMIC_ACQUIRE) == key &&
	       verified[slot].change == changes &&
	       verified[slot].until > vdso_coarse();
}

static void set_verified(const char *location, size_t n)
{
	uint64_t key = key_of(location, n);
	unsigned int slot = key % VERIFIED;

	__atomic_store_n(&verified[slot].key, 0, __ATOMIC_RELEASE);
	verified[slot].until = vdso_coarse() + VERIFIED_NS;
	verified[slot].change = changes;
	__atomic_store_n(&verified[slot].key, key, __ATOMIC_RELEASE);
}

/* Where the host has what a rule is about, no ENOENT tells of links to it. */
static bool always_exact(void)
{
	return thread_self()->rules->host_has;
}

static bool redirects(uint32_t rule)
{
	return rule != NO_RULE && rule_get(rules_now(), rule).mode != RULE_HOST;
}

static bool real_of(char *real, size_t size, const char *location,
		    uint32_t rule)
{
	struct file_status st;
	struct rule r;

	if (!redirects(rule))
		return text_copy(real, size, location);
	if (layers_apply(rule) || layers_merged(rule))
		return layers_seen(real, rule, location);
	r = rule_get(rules_now(), rule);
	if (r.mode == RULE_MERGED)
		return text_join(real, size, files.package, r.to) &&
		       (SYS(__NR_newfstatat, AT_FDCWD, real, &st,
			    AT_SYMLINK_NOFOLLOW) == 0 ||
			text_copy(real, size, location));
	if (!text_join(real, size, files.package, r.to_length > 1 ? r.to : ""))
		return false;
	location += r.from_length > 1 ? r.from_length : 0;
	if (!text_join(real, size, real, strcmp(location, "/") ? location : ""))
		return false;
	return real[0] || text_copy(real, size, "/");
}

bool path_real_of(char *real, size_t size, const char *location, uint32_t rule)
{
	return real_of(real, size, location, rule);
}

static bool is_hidden(uint32_t rule)
{
	return rule != NO_RULE && rule_get(rules_now(), rule).mode == RULE_HIDE;
}

/* What the kernel follows by itself better than by its text. */
static bool is_magic(const char *location, uint32_t rule)
{
	return !redirects(rule) && strncmp(location, "/proc/", 6) == 0;
}

/* The target of the link at @location: its length, 0 = there is none. */
static long link_target(const char *location, size_t n, char *target)
{
	uint32_t rule = rule_for(rules_now(), location, n);
	char real[PATH_SIZE];
	long got;

	if (is_hidden(rule) || is_magic(location, rule))
		return 0;
	if (!real_of(real, sizeof(real), location, rule))
		return -ENAMETOOLONG;
	got = SYS(__NR_readlinkat, AT_FDCWD, real, target, PATH_SIZE - 1);
	if (got <= 0)
		return got == 0 ? -ENOENT : 0;
	target[got] = 0;
	return got;
}

struct walk {
	char *done;		/* the location up to here; empty = the root */
	size_t n;
	char todo[2 * PATH_SIZE];
	bool touched;		/* a rule had to do with the way */
	bool slash;		/* behind the last name, maybe a link's */
	unsigned int links;
};

/* ".." of what is no directory is an error. */
static long check_directory(const struct walk *w)
{
	uint32_t rule = rule_for(rules_now(), w->done, w->n);
	char real[PATH_SIZE + 2];
	struct file_status st;
	long result;

	if (w->n == 0)
		return 0;
	if (is_hidden(rule))
		return -ENOENT;
	if (!real_of(real, PATH_SIZE, w->done, rule))
		return -ENAMETOOLONG;
	text_join(real, sizeof(real), real, "/");
	result = SYS(__NR_newfstatat, AT_FDCWD, real, &st, 0);
	return result < 0 ? result : 0;
}

static void go_up(struct walk *w)
{
	if (root_is(w->done, w->n))
		return;
	while (w->n > 0 && w->done[--w->n] != '/')
		;
	w->done[w->n] = 0;
}

static bool only_slashes(const char *text)
{
	while (*text == '/')
		text++;
	return !*text;
}

/* Behind a single file that a rule names there is nothing, whatever the host
 * has there. */
static long check_single(const struct walk *w, uint32_t rule)
{
	struct rule r = rule_get(rules_now(), rule);

	return r.exact && r.mode != RULE_HIDE ? check_directory(w) : 0;
}

/* Goes one name further; @rest is what stands behind it. */
static long step(struct walk *w, const char *name, size_t size,
		 const char *rest, enum path_last last)
{
	char target[PATH_SIZE];
	size_t start = w->n, behind;
	uint32_t rule;
	long n;

	if (size > NAME_BYTES || w->n + 1 + size >= PATH_SIZE)
		return -ENAMETOOLONG;
	w->done[w->n++] = '/';
	memcpy(w->done + w->n, name, size);
	w->n += size;
	w->done[w->n] = 0;
	rule = rule_for(rules_now(), w->done, w->n);
	if (redirects(rule))
		w->touched = true;
	/* A name to be made or removed is none to be followed, slash or not. */
	if (last == LAST_NAME && only_slashes(rest))
		rest = "";
	if ((!*rest && last != LAST_FOLLOW) ||
	    (*rest && is_verified(w->done, w->n)))
		return 0;
	if (root_link(w->done)) {
		w->n = root_begin(w->done);
		w->touched = true;
		return 0;
	}
	n = link_target(w->done, w->n, target);
	if (n < 0)
		return n;
	if (n == 0 && redirects(rule) && !only_slashes(rest)) {
		n = check_single(w, rule);
		if (n < 0)
			return n;
	}
	if (n == 0) {
		/* A single file has to be looked at each time, as above. */
		if (*rest && !(redirects(rule) &&
			       rule_get(rules_now(), rule).exact))
			set_verified(w->done, w->n);
		return 0;
	}
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	behind = strlen(rest);
	if ((size_t)n + 1 + behind >= sizeof(w->todo))
		return -ENAMETOOLONG;
	memmove(w->todo + n, rest, behind + 1);
	memcpy(w->todo, target, (size_t)n);
	w->n = start;
	w->done[w->n] = 0;
	if (target[0] == '/')
		w->n = root_begin(w->done);
	return 1;
}

static long walk(struct walk *w, enum path_last last)
{
	const char *at = w->todo;

	while (*at) {
		const char *name = at;
		size_t size = 0;
		long result = 0;

		while (name[size] && name[size] != '/')
			size++;
		at = name + size;
		if (size == 0) {
			at++;
			continue;
		}
		w->slash = *at != 0;
		if (size == 1 && name[0] == '.') {
			/* Of what is no directory, or not there, an error. */
			result = *at ? 0 : check_directory(w);
			if (result < 0)
				return result;
			w->slash = true;
			continue;
		}
		if (size == 2 && name[0] == '.' && name[1] == '.') {
			result = check_directory(w);
			go_up(w);
		} else {
			result = step(w, name, size, at, last);
		}
		if (result < 0)
			return result;
		if (result == 1)
			at = w->todo;
	}
	return 0;
}

static bool ends_as_directory(const char *path)
{
	size_t n = strlen(path);

	if (n > 0 && path[n - 1] == '/')
		return true;
	return strcmp(text_base(path), ".") == 0 ||
	       strcmp(text_base(path), "..") == 0;
}

/* Rule and real path of a location that is known. */
static long settle(struct found *f, size_t n)
{
	struct rule r;

	if (n == 0) {
		text_copy(f->location, sizeof(f->location), "/");
		n = 1;
	}
	f->rule = rule_for(rules_now(), f->location, n);
	f->border = false;
	f->layered = false;
	f->mode = RULE_HOST;
	if (f->rule != NO_RULE) {
		r = rule_get(rules_now(), f->rule);
		f->mode = r.mode;
		f->layered = r.mode == RULE_WRITE_COPY || r.mode == RULE_MERGED;
		/* A single file's copy is not tied to its place. */
		f->border = r.from_length == n && n > 1 &&
			    !(r.exact && r.mode == RULE_WRITE_COPY);
	}
	if (!real_of(f->real, PATH_SIZE, f->location, f->rule))
		return -ENAMETOOLONG;
	if (f->directory)
		text_join(f->real, sizeof(f->real), f->real, "/");
	return 0;
}

size_t path_before_dots(const char *path)
{
	size_t n = strlen(path), end;

	while (n > 0 && path[n - 1] == '/')
		n--;
	for (end = n; n > 0 && path[n - 1] != '/';)
		n--;
	if (end - n > 2 || end == n || path[n] != '.' || path[end - 1] != '.')
		return 0;
	return n;
}

static long exact_dots(struct found *f, long fd, const char *path, size_t n)
{
	char before[PATH_SIZE];
	long result;

	if (n >= PATH_SIZE)
		return -ENAMETOOLONG;
	memcpy(before, path, n);
	before[n] = 0;
	result = path_exact(f, fd, before, LAST_FOLLOW);
	f->dots = true;
	f->border = false;
	if (result == 0 && !f->native &&
	    !text_join(f->real, sizeof(f->real), f->real, path + n))
		return -ENAMETOOLONG;
	return result;
}

long path_exact(struct found *f, long fd, const char *path,
		enum path_last last)
{
	size_t dots = last == LAST_NAME ? path_before_dots(path) : 0;
	struct walk w;	/* large: not cleared */
	long result;

	if (dots > 0)
		return exact_dots(f, fd, path, dots);
	f->dots = false;
	f->layered = false;

	w.done = f->location;
	w.n = 0;
	/* A rule for the root itself holds before any component is seen. */
	w.touched = path[0] == '/' && redirects(rule_for(rules_now(), "/", 1));
	w.slash = false;
	w.links = 0;
	f->native = false;
	f->directory = ends_as_directory(path);
	w.n = path[0] == '/' ? root_begin(f->location) : 0;
	f->location[w.n] = 0;
	f->real[0] = 0;
	if (!path[0])
		return -ENOENT;
	if (!text_copy(w.todo, PATH_SIZE, path))
		return -ENAMETOOLONG;
	if (path[0] != '/') {
		if (!path_of_descriptor(fd, f->location)) {
			f->native = true;
			return 0;
		}
		w.n = strlen(f->location);
		w.touched = redirects(rule_for(rules_now(), f->location, w.n));
		if (w.n == 1)
			w.n = 0;
		f->location[w.n] = 0;
	}
	result = walk(&w, last);
	/* Where no rule was on the way the kernel says the same, and better. */
	f->native = !w.touched && !root_changed();
	f->directory = f->directory || w.slash;
	return result < 0 ? result : settle(f, w.n);
}

/* Whether the path is as simple as paths are: no empty name, no dots. */
static bool is_plain(const char *path)
{
	for (const char *at = path; *at; at++) {
		if (*at == '/' && (at[1] == '/' || at[1] == '.'))
			return false;
	}
	return true;
}

/* Whether no rule is about @location, a slash at its end aside. */
static bool is_free(const char *location)
{
	size_t n = strlen(location);

	if (n > 1 && location[n - 1] == '/')
		n--;
	return !redirects(rule_for(rules_now(), location, n));
}

/* A relative path that no rule seems to be about. */
static bool seems_free(struct found *f, long fd, const char *path)
{
	if (!path_of_descriptor(fd, f->location))
		return true; /* no directory: the kernel says so */
	return is_free(f->location) &&
	       text_join(f->location, PATH_SIZE, f->location, "/") &&
	       text_join(f->location, PATH_SIZE, f->location, path) &&
	       is_free(f->location);
}

/* A plain path to where a rule is, below directories that were looked at a
 * moment ago, and whose last name the caller looks at: by far the most. */
static bool is_quick(struct found *f, const char *path, size_t n)
{
	size_t parent = n, package = files.package_length;
	struct rule r;

	if (n >= PATH_SIZE || path[n - 1] == '/')
		return false;
	while (path[parent - 1] != '/')
		parent--;
	if (parent < 2 || n - parent > NAME_BYTES ||
	    !is_verified(path, parent - 1))
		return false;
	r = rule_get(rules_now(), f->rule);
	if (r.mode == RULE_WRITE_COPY && !r.exact) {
		if (!layers_known(f->real, f->rule, path))
			return false;
		goto found;
	}
	if (r.mode == RULE_HIDE || r.mode == RULE_WRITE_COPY ||
	    r.mode == RULE_MERGED || r.to_length == 1 || r.from_length == 1 ||
	    package + r.to_length + n - r.from_length >= PATH_SIZE)
		return false;
	memcpy(f->real, files.package, package);
	memcpy(f->real + package, r.to, r.to_length);
	memcpy(f->real + package + r.to_length, path + r.from_length,
	       n - r.from_length + 1);
found:
	memcpy(f->location, path, n + 1);
	f->border = n == r.from_length;
	f->mode = r.mode;
	f->layered = r.mode == RULE_WRITE_COPY;
	f->dots = false;
	f->directory = false;
	f->native = false;
	return true;
}

/* The two ways that are short: 1 = neither is known to be right. */
static int find_quickly(struct found *f, long fd, const char *path,
			enum path_last last)
{
	size_t n;

	if (path[0] == '.' || !is_plain(path) || root_changed())
		return 1;
	if (path[0] != '/')
		return !always_exact() && seems_free(f, fd, path) ? 0 : 1;
	n = strlen(path);
	f->rule = rule_for(rules_now(), path,
			   n > 1 && path[n - 1] == '/' ? n - 1 : n);
	if (!redirects(f->rule))
		return always_exact();
	return last == LAST_FOLLOW || !is_quick(f, path, n);
}

static long find(struct found *f, long fd, const char *path, enum path_last last)
{
	/* Nobody will look later where a link that leads to what the host has
	 * as well is followed by the kernel. */
	if (always_exact() && last == LAST_LATER)
		last = LAST_FOLLOW;
	f->native = true;
	f->dots = false;
	f->layered = false;
	if (!files.on || !path[0] || find_quickly(f, fd, path, last) == 0)
		return 0;
	return path_exact(f, fd, path, last);
}

long path_find(struct found *f, long fd, const char *path, enum path_last last)
{
	long result = find(f, fd, path, last);

	if (engine.log)
		log_led("file", path, result == 0 && !f->native ? f->real : NULL,
			result);
	return result;
}

bool path_is_below(const char *path, const char *top, size_t n)
{
	return strncmp(path, top, n) == 0 && (!path[n] || path[n] == '/');
}

bool path_host_allowed(const char *location)
{
	static const char option[] = "--allow-host=";

	for (unsigned int i = 0; i < engine.option_count; i++) {
		const char *path = engine.options[i] + sizeof(option) - 1;
		size_t n;

		if (strncmp(engine.options[i], option, sizeof(option) - 1) != 0)
			continue;
		for (n = strlen(path); n > 0 && path[n - 1] == '/';)
			n--;
		if (path_is_below(location, path, n))
			return true;
	}
	return false;
}

/* "COPIES/N/upper" and what follows: N is a rule's place in the descriptor. */
static bool location_of_copy(char *path, size_t size)
{
	char number[24], *at = path + strlen(files.copies) + 1;

	for (uint32_t i = 0; i < rules_now()->rule_count; i++) {
		struct rule r = rule_get(rules_now(), i);
		size_t n = text_decimal(number, (int64_t)r.declared);
		const char *rest = at + n + 6;

		if (r.mode != RULE_WRITE_COPY || memcmp(at, number, n) != 0 ||
		    !path_is_below(at + n, "/upper", 6))
			continue;
		if (r.exact)
			return text_copy(path, size, r.from);
		if (strlen(rest) + r.from_length >= size)
			return false;
		memmove(path + r.from_length, rest, strlen(rest) + 1);
		memcpy(path, r.from, r.from_length);
		return true;
	}
	return false;
}

/* The path of a file of the package inside it, if @r leads there or above: how
 * much of it the rule stands for, or -1. */
static long stands_for(const struct rule *r, const char *inside)
{
	size_t n = r->to_length > 1 ? r->to_length : 0;

	if (r->mode == RULE_HIDE || r->mode == RULE_HOST)
		return -1;
	if (r->exact ? strcmp(inside, r->to) != 0
		     : !path_is_below(inside, r->to, n))
		return -1;
	return (long)n;
}

/* Of several rules the one that leads to least, and of equal ones the first. */
static long nearest(struct rule *chosen, const char *inside)
{
	long best = -1;

	for (uint32_t i = 0; i < rules_now()->rule_count; i++) {
		struct rule r = rule_get(rules_now(), i);
		long n = stands_for(&r, inside);

		if (n > best || (n >= 0 && n == best &&
				 r.declared < chosen->declared)) {
			*chosen = r;
			best = n;
		}
	}
	return best;
}

static bool name_by(char *path, size_t size, const struct rule *r,
		    const char *rest)
{
	char behind[PATH_SIZE];

	if (!text_copy(behind, sizeof(behind), rest))
		return false;
	if (!text_join(path, size, r->from_length > 1 ? r->from : "", behind) ||
	    !path[0])
		text_copy(path, size, "/");
	return true;
}

/* By the rule that it was come by, as far as that leads there and no other is
 * in front of it. */
static bool name_as_known(char *path, size_t size, uint32_t rule)
{
	const char *inside = path + files.package_length;
	char location[PATH_SIZE];
	struct rule r;
	long n;

	if (rule >= rules_now()->rule_count)
		return false;
	r = rule_get(rules_now(), rule);
	n = stands_for(&r, inside);
	if (n < 0 || !name_by(location, sizeof(location), &r, inside + n) ||
	    rule_for(rules_now(), location, strlen(location)) != rule)
		return false;
	return text_copy(path, size, location);
}

void path_location(char *path, size_t size, uint32_t rule)
{
	struct rule chosen = { .declared = NO_RULE };
	const char *inside;
	long n;

	if (!files.on)
		return;
	if (files.copies && path_is_below(path, files.copies, strlen(files.copies)) &&
	    path[strlen(files.copies)] && location_of_copy(path, size))
		return;
	if (!path_is_below(path, files.package, files.package_length) ||
	    name_as_known(path, size, rule))
		return;
	inside = path + files.package_length;
	n = nearest(&chosen, inside);
	if (n >= 0)
		name_by(path, size, &chosen, inside + n);
}

bool path_of_descriptor(long fd, char *location)
{
	char link[48];
	long n;

	if (fd == AT_FDCWD) {
		n = SYS(__NR_getcwd, location, PATH_SIZE);
	} else {
		text_copy(link, sizeof(link), "/proc/self/fd/");
		text_decimal(link + strlen(link), (int)fd);
		n = SYS(__NR_readlinkat, AT_FDCWD, link, location,
			PATH_SIZE - 1);
		location[n > 0 ? n : 0] = 0;
	}
	if (n <= 0 || location[0] != '/')
		return false;
	path_location(location, PATH_SIZE, places_rule(fd));
	return true;
}

long path_real(char *path, size_t size)
{
	struct found f;
	long result;

	/* A descriptor that execveat() was given, whatever the root is. */
	if (root_changed() && path_is_below(path, "/proc/self/fd", 13))
		return 0;
	result = path_find(&f, AT_FDCWD, path, LAST_FOLLOW);
	if (result < 0 || f.native)
		return result;
	if (is_hidden(f.rule))
		return -ENOENT;
	return text_copy(path, size, f.real) ? 0 : -ENAMETOOLONG;
}

/* The own layers are there from the beginning: their directory is the lock. */
static void take_copies(const char *copies)
{
	struct file_status st;

	if (copies[0] != '/' || !copies[1] || copies[strlen(copies) - 1] == '/' ||
	    strlen(copies) > PATH_SIZE / 4 ||
	    SYS(__NR_newfstatat, AT_FDCWD, copies, &st, 0) < 0 ||
	    (st.mode & S_IFMT) != S_IFDIR)
		engine_die(EXIT_ENGINE, "not the absolute path of a directory "
			   "for copies", copies);
	files.copies = copies;
	if (layers_start() < 0)
		engine_die(EXIT_ENGINE, "cannot write the copies", copies);
}

void paths_start(const char *package, const char *copies)
{
	size_t n;

	if (package[0] != '/' ||
	    !text_copy(files.package, sizeof(files.package), package))
		engine_die(EXIT_ENGINE, "not the absolute path of a package's "
			   "files", package);
	for (n = strlen(files.package); n > 0 && files.package[n - 1] == '/';)
		files.package[--n] = 0;
	files.package_length = n;
	files.on = true;
	if (copies)
		take_copies(copies);
}
