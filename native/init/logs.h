/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of an instance: /.tranship/run/log/all.log, written by init itself
 * so that it survives every monitor outside.
 *
 * Theory: each captured stream is a pipe, read without blocking and cut into
 * lines; what one read yields goes to the file in one write (log-file.h), and
 * to init's own stdout or stderr where output is forwarded (forward.h).
 */
#ifndef TRANSHIP_INIT_LOGS_H
#define TRANSHIP_INIT_LOGS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "plan.h"

struct log_source;
/* Called with each line, NUL-terminated, without its newline. */
typedef void log_listener(void *data, const char *line);

/**
 * logs_open() - Open the log where its directory exists
 * @single:	One command: what TRANSHIP_LOG_FORWARD=1 stands for differs
 *
 * Return: whether output is to be captured
 */
bool logs_open(const struct plan *plan, bool single);

/**
 * logs_add() - Capture one stream
 * @stream:	1 or 2
 * @write_fd:	Gets the end for the child; the caller closes it
 *
 * Return: the source, or NULL with errno
 */
struct log_source *logs_add(const char *service, int stream, int *write_fd);
/* logs_add_terminal() - as logs_add(), of our side of a terminal; @fd is the
 * log's from then on */
struct log_source *logs_add_terminal(const char *service, int fd);
void logs_listen(struct log_source *s, log_listener *listener, void *data);
/* logs_deaf() - no listener is called with @data any more */
void logs_deaf(const void *data);

/* logs_poll() - appends what to wait for; logs_handle() looks at the answers,
 * from @fds, which is where logs_poll() began. Return: how many. */
size_t logs_poll(struct pollfd *fds, size_t room);
void logs_handle(const struct pollfd *fds, size_t count);

/* logs_line() - one line in the name of @service */
void logs_line(const char *service, const char *line);
bool logs_to_file(void);
bool logs_forwarded(void);

/* logs_drain() - takes what is in the pipes now; their ends may stay open */
void logs_drain(void);
/* logs_pending() - something waits for the reader of the forward copy */
bool logs_pending(void);
/* logs_reader_gone() - a forwarded stream has no reader any more; the sources
 * of that stream are closed, so that their writers get SIGPIPE */
void logs_close_unread(void);

#endif
