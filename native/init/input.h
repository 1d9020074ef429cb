/* SPDX-License-Identifier: Apache-2.0 */
/* What the program of a console reads: its terminal, or a pipe. What is typed
 * is kept until it has taken it. */
#ifndef TRANSHIP_INIT_INPUT_H
#define TRANSHIP_INIT_INPUT_H

#include "console.h"

/* input_terminal(), input_pipe() - false where none can be made */
bool input_terminal(struct console_ends *ends);
bool input_pipe(struct console_ends *ends);
/* input_screen() - our side of the terminal; -1: none */
int input_screen(void);
/* input_fd() - to be waited for while input_pending(); -1: nothing is typed */
int input_fd(void);
bool input_pending(void);
/* input_room() - for @n bytes more, which input_add() takes */
bool input_room(size_t n);
void input_add(const unsigned char *p, size_t n);
/* input_flush() - hands on what the program takes now */
void input_flush(void);
/* input_resize() - rows and columns, 16 bits each, little-endian */
void input_resize(const unsigned char *p, size_t n);

#endif
