// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checks.h"
#include "mounted.h"
#include "seed.h"
#include "talk.h"

/* A volume or a mounted file is not the instance's own. */
static bool is_mount(int fd, dev_t above)
{
	int told = mounted_here(fd, "", AT_EMPTY_PATH);
	struct stat st;

	if (told >= 0)
		return told;
	return fstat(fd, &st) < 0 || (above && st.st_dev != above);
}

/*
 * A volume that nobody has written to yet is root's: its service could not
 * write there. What is anything else is left as it is.
 */
static bool own_fresh_volume(const struct directory *d, const struct stat *st)
{
	DIR *dir;
	int fd;
	struct dirent *entry;

	if (st->st_uid || st->st_gid || (st->st_mode & 07777) != 0755)
		return true;
	fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd >= 0 && is_mount(fd, 0) ? fdopendir(fd) : NULL;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return true;
	}
	do
		entry = readdir(dir);
	while (entry && (strcmp(entry->d_name, ".") == 0 ||
			 strcmp(entry->d_name, "..") == 0));
	/* A read-only one cannot be given away, and need not be. */
	if (!entry && fchown(fd, d->uid, d->gid) == 0 &&
	    fchmod(fd, d->mode) < 0)
		complain("cannot set the mode of %s: %s", d->path,
			 strerror(errno));
	closedir(dir);
	return true;
}

static bool make_one(const struct directory *d)
{
	char path[PATH_MAX];
	struct stat st;
	char *slash;

	if (mkdir(d->path, 0700) < 0) {
		if (errno == EEXIST)
			return stat(d->path, &st) == 0 &&
				S_ISDIR(st.st_mode) && own_fresh_volume(d, &st);
		if (errno != ENOENT || strlen(d->path) >= sizeof(path))
			return false;
		memcpy(path, d->path, strlen(d->path) + 1);
		for (slash = strchr(path + 1, '/'); slash;
		     slash = strchr(slash + 1, '/')) {
			*slash = 0;
			if (mkdir(path, 0755) < 0 && errno != EEXIST)
				return false;
			*slash = '/';
		}
		if (mkdir(d->path, 0700) < 0 && errno != EEXIST)
			return false;
	}
	return chown(d->path, d->uid, d->gid) == 0 &&
		chmod(d->path, d->mode) == 0;
}

/*
 * As after a boot: what says that something runs (pid files, locks, sockets)
 * goes, directories with their owners stay. @fd is taken. A link is not
 * followed and stays; what cannot be removed is a mount, or stays too.
 */
static void empty_directory(int fd, dev_t above, unsigned int depth)
{
	DIR *dir = is_mount(fd, above) || depth > 64 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!dir) {
		close(fd);
		return;
	}
	if (fstat(fd, &st) < 0)
		st.st_dev = 0;
	above = st.st_dev;
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode) ||
		    S_ISFIFO(st.st_mode)) {
			unlinkat(fd, name, 0);
		} else if (S_ISDIR(st.st_mode)) {
			int below = openat(fd, name, O_RDONLY | O_DIRECTORY |
					   O_NOFOLLOW | O_CLOEXEC);

			if (below >= 0)
				empty_directory(below, above, depth + 1);
		}
	}
	closedir(dir);
}

static void empty_again(const struct directory *d)
{
	int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		empty_directory(fd, 0, 0);
}

bool make_directories(const struct plan *plan)
{
	bool all = true;
	size_t i;

	for (i = 0; i < plan->directory_count; i++) {
		errno = ENOTDIR;
		if (plan->directories[i].empty)
			empty_again(&plan->directories[i]);
		if (make_one(&plan->directories[i]))
			continue;
		complain("cannot make the directory %s: %s",
			 plan->directories[i].path, strerror(errno));
		all = false;
	}
	return all;
}

static bool empty(const char *path)
{
	struct dirent *entry;
	bool found = false;
	struct stat st;
	DIR *dir;

	if (stat(path, &st) < 0)
		return true;
	if (!S_ISDIR(st.st_mode))
		return st.st_size == 0;
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = strcmp(entry->d_name, ".") != 0 &&
			strcmp(entry->d_name, "..") != 0 &&
			!seed_reserved(entry->d_name);
	closedir(dir);
	return !found;
}

static void list(char *reason, size_t size, const char *what,
		 const char *name)
{
	size_t used = strlen(reason);

	snprintf(reason + used, size - used, "%s%s", used ? ", " : what, name);
}

bool check_volumes(const struct plan *plan, char *reason, size_t size)
{
	size_t i;

	*reason = 0;

	for (i = 0; i < plan->volume_count; i++) {
		const struct volume *v = &plan->volumes[i];

		if (!v->promised || !empty(v->path))
			continue;
		complain("the volume %s is empty, but its content was "
			 "promised (initial: %s); %s", v->path,
			 v->initial == INITIAL_COPY ? "copy" : "sync",
			 v->initial == INITIAL_COPY ?
			 "use a named volume, which the image seeds, or copy "
			 "the image's content there" :
			 "sync the data from the old machine first");
		list(reason, size, "empty volumes: ", v->path);
	}
	return !*reason;
}

bool check_secrets(const struct plan *plan, char *reason, size_t size)
{
	size_t i;

	*reason = 0;

	for (i = 0; i < plan->secret_count; i++) {
		const struct secret *s = &plan->secrets[i];
		const char *value;
		struct stat st;

		if (!s->required)
			continue;
		if (s->delivery == DELIVERY_ENV) {
			value = getenv(s->name);
			if (value && *value)
				continue;
			complain("the secret %s (%s) is not set: give it as "
				 "an environment variable", s->name,
				 s->reason);
		} else {
			if (stat(s->name, &st) == 0 &&
			    (!S_ISREG(st.st_mode) || st.st_size > 0))
				continue;
			complain("the secret %s (%s) is missing: mount it "
				 "there, or `tranship run --secret %s=FILE`",
				 s->name, s->reason, s->name);
		}
		list(reason, size, "missing secrets: ", s->name);
	}
	return !*reason;
}
