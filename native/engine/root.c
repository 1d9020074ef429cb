// SPDX-License-Identifier: Apache-2.0
/*
 * Element: files. chroot() as fs/open.c has it: the path is looked up, may be
 * searched, and only then the capability counts.
 *
 * A root is a text, and not a directory as in the kernel: who renames a
 * directory above it moves the root away.
 */
#include "access.h"
#include "dispatch.h"
#include "gate.h"
#include "kept.h"
#include "paths.h"
#include "root.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define CAPABILITY_VERSION 0x20080522

static struct root process LARGE;
/* Somebody has another root: most programs have not. */
static bool changed;
/* Threads have their blocks from here on. */
static bool running;

static struct root *root_of_thread(void)
{
	struct root *own = running ? thread_self()->root : NULL;

	return own ? own : &process;
}

const char *root_location(void)
{
	const struct root *r;

	if (!__atomic_load_n(&changed, __ATOMIC_ACQUIRE))
		return "";
	r = root_of_thread();
	return r->location[__atomic_load_n(&r->which, __ATOMIC_ACQUIRE) & 1];
}

/* Who reads the old one meanwhile reads on there. */
static void set(struct root *r, const char *location)
{
	unsigned int next = r->which + 1;

	text_copy(r->location[next & 1], PATH_SIZE,
		  strcmp(location, "/") == 0 ? "" : location);
	__atomic_store_n(&r->which, next, __ATOMIC_RELEASE);
	__atomic_store_n(&changed, true, __ATOMIC_RELEASE);
	paths_changed();
}

void root_start(const char *location)
{
	if (location[0])
		set(&process, location);
}

bool root_changed(void)
{
	return root_location()[0] != 0;
}

size_t root_begin(char *location)
{
	text_copy(location, PATH_SIZE, root_location());
	return strlen(location);
}

bool root_is(const char *location, size_t n)
{
	const char *root = root_location();

	return strlen(root) == n && memcmp(location, root, n) == 0;
}

bool root_link(const char *location)
{
	char number[24];
	size_t n;

	if (strncmp(location, "/proc/", 6) != 0)
		return false;
	location += 6;
	if (strcmp(location, "self/root") == 0 ||
	    strcmp(location, "thread-self/root") == 0)
		return true;
	n = text_decimal(number, SYS(__NR_getpid));
	return strncmp(location, number, n) == 0 &&
	       strcmp(location + n, "/root") == 0;
}

bool root_name(char *location)
{
	const char *root = root_location();
	size_t n = strlen(root), rest;

	if (!path_is_below(location, root, n))
		return false;
	rest = strlen(location + n);
	memmove(location, location + n, rest + 1);
	if (rest == 0)
		text_copy(location, PATH_SIZE, "/");
	return true;
}

void root_child(struct thread *child, struct thread *parent, bool shared)
{
	child->root = parent->root;
	if (shared)
		return;
	set(&child->own_root, root_location());
	child->root = &child->own_root;
}

static bool may_change_root(void)
{
	struct { uint32_t version; int pid; } head = { CAPABILITY_VERSION, 0 };
	uint32_t sets[6] = { 0 };

	if (users_on())
		return users_may(CAP_SYS_CHROOT);
	return SYS(__NR_capget, &head, sets) == 0 &&
	       sets[0] & 1U << CAP_SYS_CHROOT;
}

/* Links of /proc lead where no text says: what is open there does. */
static void name_of(struct found *f, long fd)
{
	char location[PATH_SIZE];

	if (strncmp(f->location, "/proc/", 6) == 0 &&
	    path_of_descriptor(fd, location))
		text_copy(f->location, sizeof(f->location), location);
}

static long call_chroot(struct record *r)
{
	char given[PATH_SIZE];
	struct found f;
	long result = copy_text(given, (const char *)r->rdi, sizeof(given)), fd;

	if (result >= 0)
		result = path_exact(&f, AT_FDCWD, given, LAST_FOLLOW);
	if (result < 0)
		return result;
	/* A directory that is gone has no location. */
	if (f.mode == RULE_HIDE || !f.location[0])
		return -ENOENT;
	fd = SYS(__NR_openat, AT_FDCWD, f.real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	result = access_effective(f.real, X_OK);
	if (result == 0 && !may_change_root())
		result = -EPERM;
	if (result == 0) {
		name_of(&f, fd);
		set(root_of_thread(), f.location);
	}
	SYS(__NR_close, fd);
	return result;
}

void root_add(void)
{
	running = true;
	if (files.on)
		dispatch_add(__NR_chroot, call_chroot);
}
