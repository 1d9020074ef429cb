/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mode write-copy: the instance's own layer over the package's files over the
 * host's, as overlayfs has it, and in its format: a character device 0/0 says
 * that a name is gone, the attribute overlay.opaque that nothing below a
 * directory shows through.
 */
#ifndef TRANSHIP_ENGINE_LAYERS_H
#define TRANSHIP_ENGINE_LAYERS_H

#include "paths.h"
#include "sys.h"

enum layer { LAYER_NONE, LAYER_OWN, LAYER_PACKAGE, LAYER_HOST };

struct layered {
	enum layer where;	/* the topmost that has it */
	bool white;		/* LAYER_NONE, and the own layer says so */
	long error;		/* LAYER_NONE: -ENOENT or -ENOTDIR */
	unsigned int mode;	/* of what is there */
	unsigned int uid, gid;
	char own[PATH_SIZE];	/* where the instance's own is, or would be */
	char real[PATH_SIZE];	/* what is seen; of LAYER_NONE, a path that the
				 * kernel does not find either */
};

/* layers_look() - at the name itself. */
long layers_look(const char *path, struct file_status *st);
/* layers_own_path() - the directory of a rule's own, and in it @name with what
 * follows; @to has PATH_SIZE. */
bool layers_own_path(char *to, const struct rule *r, const char *name,
		     const char *rest);
/* layers_apply() - whether @rule has a layer of the instance's own. */
bool layers_apply(uint32_t rule);
/* layers_merged() - whether it is a folder that is merged with the host's: it
 * has the other two, and `own` is the host's path. */
bool layers_merged(uint32_t rule);
/* layers_on_host() - whether the host has something at @location that may be
 * seen, without a link on the way, and what. */
bool layers_on_host(uint32_t rule, const char *location,
		    struct file_status *st);
/* layers_rest() - what of @location lies below the top of the rule's own layer. */
const char *layers_rest(const struct rule *r, const char *location);
/* layers_find_host() - whether the host has something there that may be seen: then
 * it is in @l and @st. layers_find_below() - in the layers below the own one: 0, or
 * -ENAMETOOLONG. */
bool layers_find_host(struct layered *l, const struct rule *r,
		      const char *location, struct file_status *st);
long layers_find_below(struct layered *l, const struct rule *r,
		       const char *location, struct file_status *st);
/* layers_find() - what is at @location. 0 or -ENAMETOOLONG. */
long layers_find(struct layered *l, uint32_t rule, const char *location);
/* layers_known() - what layers_find() said of @location as `real`, while no
 * process of the instance has changed a layer since; false: it has to be asked. */
bool layers_known(char *real, uint32_t rule, const char *location);
/* layers_seen() - the same, and asks. False where that is too long. */
bool layers_seen(char *real, uint32_t rule, const char *location);
/* layers_start() - maps the count of changes. 0 or -errno. */
long layers_start(void);
/* layers_below() - whether a name of the own layer hides one below. */
bool layers_below(uint32_t rule, const char *location);
/* layers_parent() - 0 where the directory of @location, or it @itself, is one;
 * or -errno. */
long layers_parent(uint32_t rule, const char *location, bool itself);
/* layers_directories() - the real directories that one at @location is made
 * of, topmost first: at most 3. @lower: whether one is not the instance's. */
unsigned int layers_directories(uint32_t rule, const char *location,
				char (*real)[PATH_SIZE], bool *lower);

/* What follows is for the holder of the lock. */
long layers_lock(void);
void layers_unlock(long lock);
/* layers_raise() - copies what is at @location into the own layer, where it is
 * not; without its @content, a file is empty. */
long layers_raise(uint32_t rule, const char *location, bool content);
/* layers_raise_parent() - the directories above @location. */
long layers_raise_parent(uint32_t rule, const char *location);
/* layers_raise_all() - a directory with all in it; below it nothing counts. */
long layers_raise_all(uint32_t rule, const char *location);
/* layers_whiten() - @own is gone, and what is below as well. @there: it is in
 * the own layer, @directory: as a directory that looks empty. */
long layers_whiten(uint32_t rule, const char *own, bool there, bool directory);
/* layers_room() - a name in the layer's working directory, free and of this
 * process alone; @temporary has PATH_SIZE. */
long layers_room(const struct rule *r, char *temporary);
/* layers_clear() - takes the whiteouts out of an empty directory. */
void layers_clear(const char *own);
/* layers_clear_deep() - of all directories below as well; @own has PATH_SIZE and
 * is as it was at the end. */
void layers_clear_deep(char *own);
/* layers_close() - nothing below @own shows through. */
long layers_close(const char *own);

#endif
