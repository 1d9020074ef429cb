/* SPDX-License-Identifier: Apache-2.0 */
/* The record of events, as src/runtime/events/note.ts writes it. */
#ifndef TRANSHIP_SUPERVISE_NOTE_H
#define TRANSHIP_SUPERVISE_NOTE_H

#include <stddef.h>

#define EXIT_MAX 4096

/* read_exit() - what init wrote of its end; empty where it is none of init's */
void read_exit(const char *path, char *text, size_t size);

/**
 * note_end(), note_removal() - Append one line to the record of events
 * @head:	the line up to what is added here
 * @exit:	of read_exit()
 *
 * What cannot be written is not written: the end goes on.
 */
void note_end(const char *events, const char *head, int status,
	      const char *exit);
void note_removal(const char *events, const char *head);

#endif
