/* SPDX-License-Identifier: Apache-2.0 */
/* Events of the kernel into records. */
#ifndef TRANSHIP_WITNESS_WATCH_H
#define TRANSHIP_WITNESS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define WATCH_MASK (FAN_OPEN | FAN_OPEN_EXEC | FAN_CLOSE_WRITE | FAN_ONDIR)

/*
 * watch_open() - a notification group; nothing is marked yet. @limited: the
 * queue has the length of fs.fanotify.max_queued_events (for tests).
 *
 * Return: its descriptor, or -1 with errno.
 */
int watch_open(bool limited);

struct watch {
	int fanotify;
	int fds;		/* our own /proc/self/fd, open */
	const char *root;	/* only below it, named from there; or NULL */
	bool outside;		/* also of processes that are not meant */
	bool busy;		/* nothing new comes: see watch_listen_again() */
};

/* watch_drain() - all that is queued, at most @most events. Return: whether
 * the queue is empty. */
bool watch_drain(const struct watch *w, unsigned most);

/*
 * watch_listen_again() - to be called every second or so. While busy, the
 * kernel is asked to be silent about opens of files whose opening was already
 * told of a process that is meant; here it is asked to speak again.
 */
void watch_listen_again(const struct watch *w);
/* watch_silenced() - whether there is any file that it would be for. */
bool watch_silenced(void);

#endif
