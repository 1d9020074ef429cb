/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths as the application sees them (locations), and where they are (real
 * paths). src/redirect/locate.ts and decide.ts are the model.
 */
#ifndef TRANSHIP_ENGINE_PATHS_H
#define TRANSHIP_ENGINE_PATHS_H

#include "policy-table.h"
#include "program.h"
#include "rules.h"

struct files {
	bool on;			/* there are rules */
	const char *package;	/* where the package's files are; no slash
					 * at its end, empty for the root */
	size_t package_length;
	const char *copies;	/* where the layers of write-copy are; NULL */
	unsigned long *changes;	/* of them: see layers_known() */
};

extern struct files files;

struct found {
	bool native;		/* no rule has to do with it: as it was asked */
	uint32_t rule;		/* NO_RULE = none */
	enum rule_mode mode;	/* of it; RULE_HOST where there is none */
	bool border;		/* it is the `from` of its rule */
	bool layered;		/* write-copy or merged: `real` is for reading */
	bool dots;		/* LAST_NAME, and it is none */
	bool directory;		/* a slash or "." stands behind it */
	char location[PATH_SIZE];
	char real[PATH_SIZE + 2];
};

/* rule_redirects() - whether it leads elsewhere than to the host's own. */
bool rule_redirects(uint32_t rule);
bool rule_hides(uint32_t rule);

/* paths_start() - where the package's files are, and the instance's own layers
 * (@copies; NULL = nowhere). */
void paths_start(const char *package, const char *copies);

enum path_last {
	LAST_FOLLOW,	/* a link as the last name is followed */
	LAST_KEEP,	/* it is not */
	LAST_NAME,	/* nor is it where a name is made or removed; that "."
			 * and ".." are none is for the kernel to say */
	LAST_LATER,	/* it may be one: the caller looks */
	LAST_FILE,	/* it is followed, for open() to make what it leads to:
			 * what has a slash behind it, here or in a link, is no
			 * file, and whether it is a link does not count */
};

/* path_find() - where @path is, relative to @fd. 0 or -errno. */
long path_find(struct found *f, long fd, const char *path, enum path_last last);
/* path_exact() - the same for a path that no rule seemed to be about: links
 * before may lead to where one is. */
long path_exact(struct found *f, long fd, const char *path,
		enum path_last last);
/* path_before_dots() - the length of @path without a last "." or ".."; 0 where
 * it ends in neither, or is nothing else. */
size_t path_before_dots(const char *path);
/* path_location() - the location of a real path, in place; @rule is the one that
 * it was come by, NO_RULE = that is not known. */
void path_location(char *path, size_t size, uint32_t rule);
/* path_is_simple() - whether @path of @n bytes begins at "/", which is the
 * kernel's, and has neither empty names nor "." and "..". */
bool path_is_simple(const char *path, size_t n);
/* path_is_below() - whether @path is @top of @n bytes, or below it. */
bool path_is_below(const char *path, const char *top, size_t n);
/* path_host_allowed() - whether rules may show what the host has there. */
bool path_host_allowed(const char *location);
/* path_of_descriptor() - the location that @fd (or AT_FDCWD) is open at;
 * false where it is none. */
bool path_of_descriptor(long fd, char *location);
/* path_real_of() - where @location is by @rule, to be read; false where that is
 * too long. */
bool path_real_of(char *real, size_t size, const char *location, uint32_t rule);
/* path_real() - for the loader: @path from this directory as the kernel shall
 * open it, in place. 0 or -errno. */
long path_real(char *path, size_t size);
/* path_moved() - a thread went into another directory. */
void path_moved(void);
/* paths_changed() - a link may be where none was, or a directory gone: one was
 * made, removed, or a name moved. Other names that come and go change nothing of
 * what is remembered of paths. */
void paths_changed(void);

#endif
