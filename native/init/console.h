/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console of a detached instance: what `tranship attach` talks to.
 *
 * Theory. Nobody outside holds anything of an instance that runs in the
 * background. So init itself has the program's terminal (or the writing end of
 * its standard input) and listens on a socket in the run directory; whoever
 * connects gets a copy of what is written from then on, and may type. Nobody
 * who looks slows a program down: what a client does not take is left out for
 * it. It all ends with the instance, and with nothing else.
 *
 * TRANSHIP_CONSOLE: "terminal", "input" (a pipe as standard input) or "output".
 * Frames both ways: u8 type, u32 length (little-endian), so many bytes.
 */
#ifndef TRANSHIP_INIT_CONSOLE_H
#define TRANSHIP_INIT_CONSOLE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What the program gets as its streams; -1: nothing of ours. */
struct console_ends {
	int terminal;
	int in;
};

/* console_open() - false where there is to be none, or none can be made */
bool console_open(bool single, struct console_ends *ends);
/* console_terminal() - our side of the terminal, to be read by the log */
int console_terminal(void);
/* console_started() - the program has its ends; ours of them are closed */
void console_started(struct console_ends *ends);

/* console_output() - what was written goes to all who look */
void console_output(int stream, const char *p, size_t n);
/* console_poll(), console_handle() - as logs_poll() and logs_handle() */
size_t console_poll(struct pollfd *fds, size_t room);
void console_handle(const struct pollfd *fds, size_t count);
/* console_end() - tells all who look how it ended */
void console_end(int status);

#endif
