// SPDX-License-Identifier: Apache-2.0
/*
 * From a path to a location, and from there to a real path.
 *
 * Most paths have nothing to do with any rule, and go to the kernel as they
 * are. A link on their way may still lead to a rule's place. Such a place is
 * mostly not there on the host, which is why it is redirected: the kernel then
 * says ENOENT, and only then the way is walked (path_exact). Where the host
 * has the place as well, every path is walked.
 */
#include "engine.h"
#include "kept.h"
#include "layers.h"
#include "log.h"
#include "paths.h"
#include "root.h"
#include "sys.h"
#include "text.h"
#include "walk.h"

struct files files = { .package = "" };

/* Where the host has what a rule is about, no ENOENT tells of links to it. */
static bool always_exact(void)
{
	return thread_self()->rules->host_has;
}

bool rule_redirects(uint32_t rule)
{
	return rule != NO_RULE && rule_get(rules_now(), rule).mode != RULE_HOST;
}

bool rule_hides(uint32_t rule)
{
	return rule != NO_RULE && rule_get(rules_now(), rule).mode == RULE_HIDE;
}

bool path_real_of(char *real, size_t size, const char *location, uint32_t rule)
{
	struct file_status st;
	struct rule r;

	if (!rule_redirects(rule))
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

/* Whether a name that begins here is empty, "." or "..". */
static bool is_odd(const char *name)
{
	if (name[0] == '/')
		return true;
	if (name[0] != '.')
		return false;
	if (name[1] == '.')
		name++;
	return name[1] == '/' || !name[1];
}

#define BYTES(c) (0x0101010101010101ULL * (c))
#define LOW BYTES(0x7fULL)

/* Bit 7 of each byte that is @c. */
static uint64_t bytes_of(uint64_t w, unsigned char c)
{
	w ^= BYTES(c);
	return ~(((w & LOW) + LOW) | w | LOW);
}

/* Whether the path is as simple as paths are: no empty name, no dots. Looked at
 * by words: where no slash stands in front of another or of a dot there is none. */
static bool is_plain(const char *path, size_t n)
{
	uint64_t w, next;
	size_t i = 0;

	for (; i + 9 <= n; i += 8) {
		__builtin_memcpy(&w, path + i, 8);
		__builtin_memcpy(&next, path + i + 1, 8);
		if (bytes_of(w, '/') & (bytes_of(next, '/') | bytes_of(next, '.')))
			break;
	}
	for (; i < n; i++) {
		if (path[i] == '/' && is_odd(path + i + 1))
			return false;
	}
	return true;
}

bool path_is_simple(const char *path, size_t n)
{
	return n > 1 && n < PATH_SIZE && path[0] == '/' && path[n - 1] != '/' &&
	       is_plain(path, n) && !root_changed();
}

/* Whether no rule is about @location, a slash at its end aside. */
static bool is_free(const char *location)
{
	size_t n = strlen(location);

	if (n > 1 && location[n - 1] == '/')
		n--;
	return !rule_redirects(rule_for(rules_now(), location, n));
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
	    !walk_verified_until(path, parent - 1))
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
	size_t n = strlen(path);

	if (!is_plain(path, n) || root_changed())
		return 1;
	if (path[0] != '/')
		return !is_odd(path) && !always_exact() &&
		       seems_free(f, fd, path) ? 0 : 1;
	f->rule = rule_for(rules_now(), path,
			   n > 1 && path[n - 1] == '/' ? n - 1 : n);
	if (!rule_redirects(f->rule))
		return always_exact();
	return last == LAST_FOLLOW || last == LAST_FILE || !is_quick(f, path, n);
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

/* Of a name that no layer has, `real` is nowhere: where it would be made. */
static COLD void log_found(const struct found *f, const char *path, long result)
{
	const char *to = result == 0 && !f->native ? f->real : NULL;
	struct layered l;

	if (to && f->layered && layers_find(&l, f->rule, f->location) == 0 &&
	    l.where == LAYER_NONE)
		to = l.own;
	log_led("file", path, to, result);
}

long path_find(struct found *f, long fd, const char *path, enum path_last last)
{
	long result = find(f, fd, path, last);

	if (engine.log)
		log_found(f, path, result);
	return result;
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
	if (rule_hides(f.rule))
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
	char path[PATH_SIZE];
	size_t n;

	if (package[0] != '/' || !text_copy(path, sizeof(path), package))
		engine_die(EXIT_ENGINE, "not the absolute path of a package's "
			   "files", package);
	for (n = strlen(path); n > 0 && path[n - 1] == '/';)
		path[--n] = 0;
	files.package = kept_text(path);
	files.package_length = n;
	files.on = true;
	if (copies)
		take_copies(copies);
}
