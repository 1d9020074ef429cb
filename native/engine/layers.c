// SPDX-License-Identifier: Apache-2.0
/*
 * Layers: looking names up, and copying them up (fs/overlayfs/namei.c,
 * copy_up.c). The own layer of a rule is COPIES/N/upper, N its place in the
 * descriptor; of a single file the directory that it would be in.
 *
 * What is written into the own layer appears there whole: it is made in
 * COPIES/N/work and renamed. Changes of names are made under one lock for all
 * rules of the instance; who only reads does not ask for it.
 */
#include "layers.h"
#include "listing.h"
#include "text.h"

#define O_RDWR_NEW (O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC)
#define LOCK_EX 2
#define FICLONE 0x40049409
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define NR_OPENAT2 437
#define RESOLVE_NO_SYMLINKS 4
#define S_IFCHR 0020000
#define ATTRIBUTES (64UL << 10)

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

static long look(const char *path, struct file_status *st)
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
static bool own_path(char *to, const struct rule *r, const char *name,
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
static const char *rest_of(const struct rule *r, const char *location)
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
		result = look(own, &st);
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

static bool find_host(struct layered *l, const struct rule *r,
		      const char *location, struct file_status *st)
{
	/* No link in the host's folder leads out of it: it would stand where
	 * a directory of the package is. */
	uint64_t how[3] = { O_PATH | O_CLOEXEC | O_NOFOLLOW, 0,
			    RESOLVE_NO_SYMLINKS };
	const char *rest = r->exact ? "" : rest_of(r, location);
	long top, fd;

	if (!path_host_allowed(location))
		return false;
	if (!*rest) {
		if (look(location, st) < 0)
			return false;
		return text_copy(l->real, PATH_SIZE, location);
	}
	top = SYS(__NR_openat, AT_FDCWD, r->from, O_PATH | O_CLOEXEC, 0);
	if (top < 0)
		return false;
	fd = SYS(NR_OPENAT2, top, rest + 1, how, sizeof(how));
	SYS(__NR_close, top);
	if (fd < 0)
		return fd == -ENOSYS && look(location, st) == 0 &&
		       text_copy(l->real, PATH_SIZE, location);
	top = SYS(__NR_fstat, fd, st);
	SYS(__NR_close, fd);
	return top == 0 && text_copy(l->real, PATH_SIZE, location);
}

/* How much of @rest is there below the directory that @path, of PATH_SIZE, is
 * with it. */
static size_t reach(char *path, const char *rest)
{
	size_t n = strlen(path), top = n - strlen(rest);
	struct file_status st;

	while (n > top && look(path, &st) < 0) {
		while (n > top && path[--n] != '/')
			;
		path[n] = 0;
	}
	return n - top;
}

/* Whether the package hides what the host has on the way to @rest. */
static bool is_covered(const struct layered *l, const struct rule *r,
		       const char *rest)
{
	char path[PATH_SIZE];
	size_t package;

	text_copy(path, PATH_SIZE, l->real);
	package = reach(path, rest);
	return !text_join(path, PATH_SIZE, r->from_length > 1 ? r->from : "",
			  rest) || reach(path, rest) <= package;
}

/* In the layers below the own one. */
static long find_below(struct layered *l, const struct rule *r,
		       const char *location, struct file_status *st)
{
	const char *rest = r->exact ? "" : rest_of(r, location);
	long result;

	if (!text_join(l->real, PATH_SIZE, files.package,
		       r->to_length > 1 ? r->to : "") ||
	    !text_join(l->real, PATH_SIZE, l->real, rest))
		return -ENAMETOOLONG;
	if (!l->real[0])
		text_copy(l->real, PATH_SIZE, "/");
	result = look(l->real, st);
	l->where = LAYER_PACKAGE;
	/* Where the kernel may not look, it says so again. */
	if (result == 0 || (result != -ENOENT && result != -ENOTDIR))
		return 0;
	if (result == -ENOENT && find_host(l, r, location, st)) {
		l->where = LAYER_HOST;
		return 0;
	}
	l->where = LAYER_NONE;
	l->error = result;
	/* A file of the host where a directory would have to be. */
	if (result == -ENOENT && path_host_allowed(location) &&
	    look(location, st) == -ENOTDIR && !is_covered(l, r, rest) &&
	    text_copy(l->real, PATH_SIZE, location))
		l->error = -ENOTDIR;
	return 0;
}

bool layers_on_host(uint32_t rule, const char *location,
		    struct file_status *st)
{
	struct rule r = rule_get(rules_now(), rule);
	struct layered l;

	return find_host(&l, &r, location, st);
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
	return strlen(own) - strlen(rest_of(r, location));
}

/* The own layer first, and what it says of those below. */
static long find_own(struct layered *l, const struct rule *r,
		     const char *location, struct file_status *st)
{
	long result;

	if (!own_path(l->own, r, "/upper", rest_of(r, location)))
		return -ENAMETOOLONG;
	result = look(l->own, st);
	if (result == 0 && is_white(st)) {
		nowhere(l);
		l->white = true;
	} else if (result == -ENOENT || result == -ENOTDIR) {
		switch (way_to(l->own, top_of(r, l->own, location))) {
		case WAY_OPEN:
			result = find_below(l, r, location, st);
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
		result = find_below(l, &r, location, &st);
	else
		result = -ENAMETOOLONG;
	if (result < 0)
		return result;
	l->mode = l->where == LAYER_NONE ? 0 : st.mode;
	l->uid = st.uid;
	l->gid = st.gid;
	return 0;
}

/*
 * What was found is remembered. The count of changes lies in a page that all
 * processes of the instance share; while the lock is held it is odd, and it
 * stays so where its holder was killed: then nothing is remembered until the
 * next change is complete.
 */
#define KNOWN 256
#define KNOWN_TEXT 240

static struct memory {
	unsigned long changes;	/* when it was asked; 0 = it is being written */
	uint64_t rule;	/* rule_key() */
	char location[KNOWN_TEXT], real[KNOWN_TEXT];
} memories[KNOWN];

/* Of one table: another has other rules. */
static uint64_t rule_key(uint32_t rule)
{
	return (uint64_t)thread_self()->rules->changes << 32 | rule;
}

/* Never 0 or 1. */
static unsigned long count_changes(void)
{
	return __atomic_load_n(files.changes, __ATOMIC_ACQUIRE) + 2;
}

static struct memory *known_place(const char *location)
{
	uint64_t h = 14695981039346656037ULL;

	while (*location)
		h = (h ^ (unsigned char)*location++) * 1099511628211ULL;
	return &memories[(h ^ h >> 32) % KNOWN];
}

bool layers_known(char *real, uint32_t rule, const char *location)
{
	struct memory *k = known_place(location);
	unsigned long at = __atomic_load_n(&k->changes, __ATOMIC_ACQUIRE);

	if (at == 0 || at & 1 || at != count_changes() || k->rule != rule_key(rule) ||
	    strcmp(k->location, location) != 0)
		return false;
	text_copy(real, KNOWN_TEXT, k->real);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&k->changes, __ATOMIC_RELAXED) == at;
}

static void learn(uint32_t rule, const char *location, const char *real,
		  unsigned long changes)
{
	struct memory *k = known_place(location);
	unsigned long was = __atomic_load_n(&k->changes, __ATOMIC_RELAXED);

	/* 1 = another thread writes it, and the value is never equal again. */
	if (changes & 1 || strlen(location) >= KNOWN_TEXT ||
	    strlen(real) >= KNOWN_TEXT || was == 1 ||
	    !__atomic_compare_exchange_n(&k->changes, &was, 1, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	k->rule = rule_key(rule);
	text_copy(k->location, KNOWN_TEXT, location);
	text_copy(k->real, KNOWN_TEXT, real);
	__atomic_store_n(&k->changes, changes, __ATOMIC_RELEASE);
}

bool layers_seen(char *real, uint32_t rule, const char *location)
{
	unsigned long changes;
	struct layered l;

	/* The host is changed by others, and there is no count. */
	if (layers_merged(rule))
		return layers_find(&l, rule, location) == 0 &&
		       text_copy(real, PATH_SIZE, l.real);
	changes = count_changes();
	if (layers_known(real, rule, location))
		return true;
	if (layers_find(&l, rule, location) < 0)
		return false;
	/* What is not there may be made below by others than us. */
	if (l.where != LAYER_NONE)
		learn(rule, location, l.real, changes);
	return text_copy(real, PATH_SIZE, l.real);
}

long layers_start(void)
{
	char path[PATH_SIZE];
	struct file_status st;
	long fd, at;

	if (!text_join(path, PATH_SIZE, files.copies, "/changes"))
		return -ENAMETOOLONG;
	fd = SYS(__NR_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC,
		 0666);
	if (fd < 0)
		return fd;
	at = SYS(__NR_fstat, fd, &st);
	if (at == 0 && st.size < (int64_t)PAGE) {
		/* Whatever the mask of who came first: every user counts. */
		SYS(__NR_fchmod, fd, 0666);
		at = SYS(__NR_ftruncate, fd, PAGE);
	}
	if (at == 0)
		at = SYS(__NR_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);
	SYS(__NR_close, fd);
	if (IS_ERROR(at))
		return at;
	files.changes = (unsigned long *)at;
	return 0;
}

bool layers_below(uint32_t rule, const char *location)
{
	struct rule r = rule_get(rules_now(), rule);
	struct file_status st;
	struct layered l;

	if (!own_path(l.own, &r, "/upper", rest_of(&r, location)) ||
	    way_to(l.own, top_of(&r, l.own, location)) != WAY_OPEN)
		return false;
	return find_below(&l, &r, location, &st) == 0 && l.where != LAYER_NONE;
}

long layers_parent(uint32_t rule, const char *location, bool itself)
{
	struct rule r = rule_get(rules_now(), rule);
	char parent[PATH_SIZE];
	struct layered l;
	char *slash;
	long result;

	if (!itself && (r.exact || !*rest_of(&r, location)))
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

	return look(path, &st) == 0 && (st.mode & S_IFMT) == S_IFDIR;
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
		    find_below(&l, &r, location, &st) < 0 ||
		    l.where == LAYER_NONE || !is_directory_at(l.real))
			return n;
	}
	*lower = true;
	text_copy(real[n++], PATH_SIZE, l.real);
	if (l.where == LAYER_PACKAGE && find_host(&l, &r, location, &st) &&
	    (st.mode & S_IFMT) == S_IFDIR)
		text_copy(real[n++], PATH_SIZE, l.real);
	return n;
}

/* The directory itself is the lock: nothing has to be made, and every user who
 * can read it can take it. */
long layers_lock(void)
{
	long fd = SYS(__NR_openat, AT_FDCWD, files.copies,
		      O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	while (SYS(__NR_flock, fd, LOCK_EX) == -EINTR)
		;
	__atomic_store_n(files.changes, count_changes() | 1, __ATOMIC_SEQ_CST);
	return fd;
}

void layers_unlock(long lock)
{
	__atomic_add_fetch(files.changes, 1, __ATOMIC_SEQ_CST);
	SYS(__NR_close, lock);
}

/* The directories that a rule's own layer is in; work is for every user. */
static long make_room(const struct rule *r, char *temporary)
{
	struct file_status st;
	long result;

	if (!own_path(temporary, r, "/work", ""))
		return -ENAMETOOLONG;
	if (look(temporary, &st) < 0) {
		own_path(temporary, r, "", "");
		SYS(__NR_mkdirat, AT_FDCWD, temporary, 0755);
		own_path(temporary, r, "/work", "");
		result = SYS(__NR_mkdirat, AT_FDCWD, temporary, 0700);
		if (result < 0)
			return result;
		SYS(__NR_fchmodat, AT_FDCWD, temporary, 01777);
	}
	text_join(temporary, PATH_SIZE, temporary, "/");
	text_decimal(temporary + strlen(temporary), SYS(__NR_gettid));
	/* Left by one that was killed. */
	SYS(__NR_unlinkat, AT_FDCWD, temporary, 0);
	SYS(__NR_unlinkat, AT_FDCWD, temporary, 0x200 /* AT_REMOVEDIR */);
	return 0;
}

static long copy_content(const char *from, const char *to)
{
	long in = SYS(__NR_openat, AT_FDCWD, from,
		      O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0), out, n;

	if (in < 0)
		return in;
	out = SYS(__NR_openat, AT_FDCWD, to, O_WRONLY | O_CLOEXEC, 0);
	if (out < 0) {
		SYS(__NR_close, in);
		return out;
	}
	n = SYS(__NR_ioctl, out, FICLONE, in);
	while (n != 0) {
		n = SYS(__NR_copy_file_range, in, 0, out, 0, 1L << 30, 0);
		if (n < 0)
			n = SYS(__NR_sendfile, out, in, 0, 1L << 30);
		if (n < 0 && n != -EINTR)
			break;
	}
	SYS(__NR_close, in);
	SYS(__NR_close, out);
	return n;
}

/* Attributes that the file system or the user may not set are left out, as cp
 * does; those of layers are about their place. */
static void copy_attributes(const char *from, const char *to)
{
	long memory, n, size;
	char *names, *value;

	if (SYS(__NR_llistxattr, from, 0, 0) <= 0)
		return;
	memory = SYS(__NR_mmap, 0, 2 * ATTRIBUTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (IS_ERROR(memory))
		return;
	names = (char *)memory;
	value = names + ATTRIBUTES;
	n = SYS(__NR_llistxattr, from, names, ATTRIBUTES);
	for (const char *name = names; name < names + n;
	     name += strlen(name) + 1) {
		if (strncmp(name, "trusted.overlay.", 16) == 0 ||
		    strncmp(name, "user.overlay.", 13) == 0)
			continue;
		size = SYS(__NR_lgetxattr, from, name, value, ATTRIBUTES);
		if (size >= 0)
			SYS(__NR_lsetxattr, to, name, value, size, 0);
	}
	SYS(__NR_munmap, memory, 2 * ATTRIBUTES);
}

/* Makes @to as @from is. Where the owner cannot be given, it is ours. */
static long make_like(const char *from, const char *to, bool content)
{
	char target[PATH_SIZE];
	struct file_status st;
	long result = look(from, &st), n;
	unsigned int type = st.mode & S_IFMT;

	if (result < 0)
		return result;
	if (type == S_IFDIR) {
		result = SYS(__NR_mkdirat, AT_FDCWD, to, 0700);
	} else if (type == S_IFLNK) {
		n = SYS(__NR_readlinkat, AT_FDCWD, from, target, PATH_SIZE - 1);
		target[n > 0 ? n : 0] = 0;
		result = n < 0 ? n : SYS(__NR_symlinkat, target, AT_FDCWD, to);
	} else {
		result = SYS(__NR_mknodat, AT_FDCWD, to, type | 0600, st.rdev);
	}
	if (result == 0 && type == S_IFREG && content)
		result = copy_content(from, to);
	if (result < 0)
		return result;
	copy_attributes(from, to);
	SYS(__NR_fchownat, AT_FDCWD, to, st.uid, st.gid, AT_SYMLINK_NOFOLLOW);
	if (type != S_IFLNK)
		result = SYS(__NR_fchmodat, AT_FDCWD, to, st.mode & 07777);
	SYS(__NR_utimensat, AT_FDCWD, to, st.times, AT_SYMLINK_NOFOLLOW);
	return result;
}

/* The directory that something is renamed into keeps its times. */
static long put_into(const char *from, const char *own)
{
	char parent[PATH_SIZE];
	struct file_status st = { 0 };
	char *slash;
	long result, known;

	text_copy(parent, PATH_SIZE, own);
	slash = strrchr(parent, '/');
	*slash = 0;
	known = look(parent, &st);
	result = SYS(__NR_renameat2, AT_FDCWD, from, AT_FDCWD, own,
		     RENAME_NOREPLACE);
	if (result == -EINVAL) /* a file system without the flag */
		result = SYS(__NR_renameat2, AT_FDCWD, from, AT_FDCWD, own, 0);
	if (known == 0)
		SYS(__NR_utimensat, AT_FDCWD, parent, st.times, 0);
	return result;
}

static long raise_one(const struct rule *r, const struct layered *l,
		      bool content)
{
	char temporary[PATH_SIZE];
	long result = make_room(r, temporary);

	if (result < 0)
		return result;
	result = make_like(l->real, temporary, content);
	if (result == 0)
		result = put_into(temporary, l->own);
	if (result < 0) {
		SYS(__NR_unlinkat, AT_FDCWD, temporary, 0);
		SYS(__NR_unlinkat, AT_FDCWD, temporary, 0x200);
	}
	return result;
}

/* One directory on the way down to what is raised. */
static long raise_directory(uint32_t rule, const char *location)
{
	struct rule r = rule_get(rules_now(), rule);
	struct layered l;
	long result = layers_find(&l, rule, location);

	if (result < 0 || l.where == LAYER_OWN)
		return result;
	if (l.where == LAYER_NONE)
		return l.error;
	if ((l.mode & S_IFMT) != S_IFDIR)
		return -ENOTDIR;
	return raise_one(&r, &l, false);
}

long layers_raise_parent(uint32_t rule, const char *location)
{
	struct rule r = rule_get(rules_now(), rule);
	char way[PATH_SIZE];
	size_t top = r.from_length > 1 ? r.from_length : 0;
	long result = make_room(&r, way);

	if (result < 0)
		return result;
	if (r.exact) {
		own_path(way, &r, "/upper", "");
		result = SYS(__NR_mkdirat, AT_FDCWD, way, 0755);
		return result == -EEXIST ? 0 : result;
	}
	text_copy(way, PATH_SIZE, location);
	for (size_t at = top; result == 0 && way[at]; at++) {
		if (way[at] != '/')
			continue;
		way[at] = 0;
		result = raise_directory(rule, at ? way : "/");
		way[at] = '/';
	}
	return result;
}

long layers_raise(uint32_t rule, const char *location, bool content)
{
	struct rule r = rule_get(rules_now(), rule);
	struct layered l;
	long result = layers_find(&l, rule, location);

	if (result < 0 || l.where == LAYER_OWN)
		return result;
	if (l.where == LAYER_NONE)
		return l.error;
	result = layers_raise_parent(rule, location);
	return result < 0 ? result : raise_one(&r, &l, content);
}

long layers_close(const char *own)
{
	long result = SYS(__NR_lsetxattr, own, "trusted.overlay.opaque", "y", 1,
			  0);

	if (result < 0)
		result = SYS(__NR_lsetxattr, own, "user.overlay.opaque", "y", 1,
			     0);
	return result;
}

static void clear_names(char *own, bool deep)
{
	size_t n = strlen(own);
	struct listing names;

	listing_own(&names, own);
	for (size_t i = 0; i < names.count; i++) {
		const struct listed *one = &names.names[i];

		if (text_join(own, PATH_SIZE, own, "/") &&
		    text_join(own, PATH_SIZE, own, listing_name(&names, i))) {
			if (one->white)
				SYS(__NR_unlinkat, AT_FDCWD, own, 0);
			else if (deep && one->type == DT_DIR)
				clear_names(own, true);
		}
		own[n] = 0;
	}
	listing_free(&names);
}

void layers_clear(const char *own)
{
	char path[PATH_SIZE];

	text_copy(path, PATH_SIZE, own);
	clear_names(path, false);
}

/* @location is a buffer of PATH_SIZE, as it was at the end. */
static long raise_tree(uint32_t rule, char *location)
{
	struct listing names;
	size_t n = strlen(location);
	long result = layers_raise(rule, location, true);

	if (result < 0)
		return result;
	result = listing_read(&names, rule, location);
	for (size_t i = 0; result == 0 && i < names.count; i++) {
		const char *name = listing_name(&names, i);

		if (!text_join(location, PATH_SIZE, location, "/") ||
		    !text_join(location, PATH_SIZE, location, name))
			result = -ENAMETOOLONG;
		else if (names.names[i].type == DT_DIR)
			result = raise_tree(rule, location);
		else
			result = layers_raise(rule, location, true);
		location[n] = 0;
	}
	listing_free(&names);
	return result;
}

long layers_raise_all(uint32_t rule, const char *location)
{
	char path[PATH_SIZE];
	struct layered l;
	long result;

	text_copy(path, PATH_SIZE, location);
	result = raise_tree(rule, path);
	if (result == 0)
		result = layers_find(&l, rule, location);
	if (result == 0)
		result = layers_close(l.own);
	/* What nothing is below needs no whiteouts, and would show them. */
	if (result == 0)
		clear_names(l.own, true);
	return result;
}

long layers_whiten(uint32_t rule, const char *own, bool there, bool directory)
{
	struct rule r = rule_get(rules_now(), rule);
	char temporary[PATH_SIZE];
	long result;

	if (!there)
		return SYS(__NR_mknodat, AT_FDCWD, own, S_IFCHR, 0);
	result = make_room(&r, temporary);
	if (result == 0)
		result = SYS(__NR_mknodat, AT_FDCWD, temporary, S_IFCHR, 0);
	if (result < 0)
		return result;
	result = SYS(__NR_renameat2, AT_FDCWD, temporary, AT_FDCWD, own,
		     directory ? RENAME_EXCHANGE : 0);
	if (result == 0 && directory) {
		layers_clear(temporary);
		SYS(__NR_unlinkat, AT_FDCWD, temporary, 0x200);
	}
	if (result < 0)
		SYS(__NR_unlinkat, AT_FDCWD, temporary, 0);
	return result;
}
