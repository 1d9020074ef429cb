// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "draft.h"
#include "read.h"
#include "remove.h"
#include "steps.h"

static const char known_version[] = "{\"tranship\":\"state\",\"version\":1}\n";

/* As src/runtime/create.ts makes it; with the files, still empty, that every
 * start writes: a new name in a directory may cost more than its content. */
static const struct {
	const char *name;
	mode_t mode;
} parts[] = {
	{ "upper", S_IFDIR | 0755 },
	{ "work", S_IFDIR | 0700 },
	{ "bundle", S_IFDIR | 0700 },
	{ "files", S_IFDIR | 0700 },
	{ "oci", S_IFDIR | 0700 },
	{ "run", S_IFDIR | 0755 },
	{ "run/log", S_IFDIR | 0755 },
	{ "run/log/all.log", 0640 },
	{ "launch.json", 0600 },
	{ "instance.json", 0600 },
	{ "runtime.log", 0666 },
	{ "bundle/config.json", 0600 },
	{ "files/hosts", 0644 },
	{ "files/hostname", 0644 },
	{ "files/resolv.conf", 0644 },
};

/* root_of() - as bin/tranship and src/host/state-root.ts find it, for root. */
static const char *root_of(char *const *args)
{
	const char *root = getenv("TRANSHIP_ROOT");

	/* The last one counts. */
	for (; *args && strcmp(*args, "run") != 0; args++) {
		if (strcmp(*args, "--root") == 0 && args[1])
			root = *++args;
		else if (strncmp(*args, "--root=", 7) == 0)
			root = *args + 7;
	}
	if (root && *root)
		return root;
	return geteuid() == 0 ? "/var/lib/tranship" : NULL;
}

static bool is_ours(const char *root)
{
	char path[PATH_MAX], text[sizeof(known_version) + 1];

	return snprintf(path, sizeof(path), "%s/version.json", root) <
		       (int)sizeof(path) &&
	       read_small(path, text, sizeof(text)) > 0 &&
	       strcmp(text, known_version) == 0;
}

static bool new_id(char id[65])
{
	unsigned char bytes[32];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return true;
}

static bool path_of(char path[PATH_MAX], const char *root, const char *id,
		    const char *start)
{
	return snprintf(path, PATH_MAX, "%s/instances/.new-%s-%d-%s", root, id,
			(int)getpid(), start) < PATH_MAX;
}

void draft_name(struct draft *d, char *const *args)
{
	const char *root = root_of(args);
	char id[65], other[65], start[32];

	d->id[0] = 0;
	if (!root || root[0] != '/' || !is_ours(root) || !new_id(id) || !new_id(other) ||
	    !start_time(getpid(), start, sizeof(start)) ||
	    snprintf(d->trash, PATH_MAX, "%s/trash", root) >= PATH_MAX ||
	    !path_of(d->path, root, id, start) ||
	    !path_of(d->unfinished, root, other, start))
		return;
	memcpy(d->id, id, sizeof(d->id));
	step("instance draft");
}

static bool make_part(int dir, const char *name, mode_t mode)
{
	int fd;

	if (S_ISDIR(mode))
		return mkdirat(dir, name, mode & 07777) == 0;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool draft_make(const struct draft *d)
{
	bool done;
	int dir;

	if (!d->id[0] || mkdir(d->unfinished, 0700) < 0)
		return false;
	dir = open(d->unfinished, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	done = dir >= 0;
	for (size_t i = 0; done && i < sizeof(parts) / sizeof(parts[0]); i++)
		done = make_part(dir, parts[i].name, parts[i].mode);
	if (dir >= 0)
		close(dir);
	if (!done)
		remove_tree(d->unfinished);
	return done;
}

void draft_offer(const struct draft *d)
{
	if (rename(d->unfinished, d->path) < 0)
		remove_tree(d->unfinished);
}

void draft_remove(const struct draft *d)
{
	if (d->id[0])
		remove_tree(d->path);
}
