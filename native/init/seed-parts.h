/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of seed.c share. */
#ifndef TRANSHIP_INIT_SEED_PARTS_H
#define TRANSHIP_INIT_SEED_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define SEED_DIRECTORY \
	(O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
/* Room for any attribute's value, for their names, and for file content. */
#define SEED_BUFFER (128U << 10)

/* What may be refused without an end of the work; told once each. */
enum seed_loss {
	LOSS_OWNER = 1,
	LOSS_ATTRIBUTE = 2,
	LOSS_MODE = 4,
	LOSS_TIME = 8,
	LOSS_LINK = 16,
	LOSS_SPECIAL = 32,
	LOSS_MOUNT = 64,
};

struct seed {
	const char *source, *target;
	int from, to;
	struct stat from_stat, to_stat;
	/* Objects with several names, each called DEVICE-INODE of its source. */
	int links;
	/* Below SOURCE, for messages: the directory that is being copied. */
	char *path;
	size_t path_len, path_room;
	unsigned int told;
	bool by_hand;	/* copy_file_range() does not do it here */
	char list[64U << 10];
	char buffer[SEED_BUFFER];
};

/* seed_fail() - tells @what could not be done with @name of the directory that
 * is being copied, and errno ("." is that directory). Return: false */
bool seed_fail(const struct seed *s, const char *what, const char *name);
/* seed_loss() - tells once what is not kept, with the first of it. @why may be 0 */
void seed_loss(struct seed *s, enum seed_loss loss, const char *what,
	       const char *name, int why);
/* seed_refused() - whether errno says that this file system, or whoever
 * decides here, will not have it */
bool seed_refused(void);

/* seed_copy() - the tree at s->from into the directory @to, except its own
 * owner, mode and times */
bool seed_copy(struct seed *s, int to);
/* seed_entry() - anything but a directory */
bool seed_entry(struct seed *s, int from, int to, const char *name,
		const struct stat *st);
/* seed_metadata() - owner, attributes, mode, times; @name may be "." */
bool seed_metadata(struct seed *s, int from, int to, const char *name,
		   const struct stat *st);
/* seed_remove() - @name of @dir with all below it. Return: false with errno */
bool seed_remove(int dir, const char *name);

#endif
