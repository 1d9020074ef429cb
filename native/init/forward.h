/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The copy of all output that goes to init's own stdout and stderr.
 *
 * Theory: it is queued up to a bound; beyond it, either init stops reading what
 * the services write ("wait": the reader is the user, as with a native pipe) or
 * drops and counts ("drop": a reader that hangs must not stall a service).
 */
#ifndef TRANSHIP_INIT_FORWARD_H
#define TRANSHIP_INIT_FORWARD_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define FORWARD_PIECE 16384	/* at most so many bytes at a time */

/**
 * forward_open() - What TRANSHIP_LOG_FORWARD wishes
 * @single:	One command: what 1 stands for differs
 * @to_file:	There is a log file; else output goes nowhere but here
 */
void forward_open(bool single, bool to_file);
bool forward_on(void);
/* forward_add() - @stream: 1 or 2; so with all of these */
void forward_add(int stream, const char *p, size_t n);
void forward_send(void);
/* forward_full() - no more is to be read for it now */
bool forward_full(int stream);
/* forward_gone() - nobody reads it any more */
bool forward_gone(int stream);
/* forward_pending() - something waits for a reader who is waited for */
bool forward_pending(void);
/* forward_poll() - appends what to wait for. Return: how many. */
size_t forward_poll(struct pollfd *fds, size_t room);

#endif
