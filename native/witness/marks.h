/* SPDX-License-Identifier: Apache-2.0 */
/* One mark for each mount of our mount namespace, also of those to come. */
#ifndef TRANSHIP_WITNESS_MARKS_H
#define TRANSHIP_WITNESS_MARKS_H

#include <stdint.h>

/*
 * marks_open() - the list of mounts of the calling thread's namespace, read
 * through @proc, an open /proc.
 *
 * Return: a descriptor that poll() wakes (POLLPRI) when the list changes;
 * dies where there is none.
 */
int marks_open(int proc, int fanotify, uint64_t mask);
/* marks_update() - marks what is there now. Return: mounts with a mark. */
uint32_t marks_update(void);

#endif
