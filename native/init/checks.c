// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checks.h"
#include "talk.h"

static bool make_one(const struct directory *d)
{
	char path[PATH_MAX];
	struct stat st;
	char *slash;

	if (mkdir(d->path, 0700) < 0) {
		if (errno == EEXIST)
			return stat(d->path, &st) == 0 &&
				S_ISDIR(st.st_mode);
		if (errno != ENOENT || strlen(d->path) >= sizeof(path))
			return false;
		strcpy(path, d->path);
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

bool make_directories(const struct plan *plan)
{
	bool all = true;
	size_t i;

	for (i = 0; i < plan->directory_count; i++) {
		errno = ENOTDIR;
		if (make_one(&plan->directories[i]))
			continue;
		complain("cannot make the directory %s: %s",
			 plan->directories[i].path, strerror(errno));
		all = false;
	}
	return all;
}

/* A file system of its own brings lost+found: that is no content. */
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
			strcmp(entry->d_name, "lost+found") != 0;
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
