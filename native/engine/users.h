/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Element: users (experimental). One user of the host stands for all of the
 * application's: who its threads are, and whose its files are, is kept here. It
 * is told and changed by the kernel's rules (ids.h), but the kernel goes on
 * checking the one user's rights: between the application's users nothing is
 * closed.
 *
 *   users.c          who a thread is; the page by which others see it
 *   users-calls.c    the calls that tell and set ids and capabilities
 *   users-owner.c    whose a file is: an attribute of it
 *   users-status.c   what stat() and statx() tell
 *   users-change.c   chown() and chmod()
 *   users-make.c     whose new files are
 *   users-peers.c    who is at the other end of a socket
 *   users-proc.c     /proc/PID/status
 */
#ifndef TRANSHIP_ENGINE_USERS_H
#define TRANSHIP_ENGINE_USERS_H

#include "dispatch.h"
#include "ids.h"

/* users_start() - @page tells the instance's processes of one another; @ids is
 * what users_pass() wrote, or NULL for root. False: @page cannot be mapped, or
 * @ids is none. */
bool users_start(const char *page, const char *ids);
/* users_on() - whether this element is. */
bool users_on(void);
/* users_add() - answers its calls; behind all others, which it asks. */
void users_add(void);
/* users_may() - whether the calling thread has this capability. */
bool users_may(unsigned int cap);

/* users_child() - a new thread or child of vfork() is who its parent is. */
void users_child(struct thread *child, const struct thread *parent);
/* users_changed() - the ids of this thread, or it is a new process: others shall
 * see it. */
void users_changed(void);

/* What a program that is executed would make of who executes it. */
struct becomes {
	uint32_t mode, uid, gid;
};
/* users_program() - of what is open at @fd. */
void users_program(struct becomes *b, long fd);
/* users_pass() - who the thread is behind execve(), as a word; empty where the
 * element is not on. */
#define USERS_OPTION "--ids="
#define USERS_WORD (sizeof(USERS_OPTION) + IDS_TEXT)
void users_pass(char *to, const struct becomes *b);

/* What follows is between the files of the element. */

/* The host's user and group that stand for all. */
extern uint32_t users_real_uid, users_real_gid;
/* What answered before this element. */
extern struct before users_before;

struct ids *users_self(void);
/* users_of() - who process @pid is; false where it is not of this instance, or
 * the page has forgotten it. */
bool users_of(long pid, uint32_t *uid, uint32_t *gid);

/* users-owner.c */

/* As the application sees it. */
struct owner {
	uint32_t uid, gid, mode;	/* mode: with the type of the file */
};
/* owner_shown() - of a file of @st, which is @fd or "/proc/self/fd/N" of it;
 * what is not the one user's is as it is. */
void owner_shown(struct owner *o, const struct file_status *st, long fd);
/* owner_known() - the same of what was looked at before; false: it was not. */
bool owner_known(struct owner *o, const struct file_status *st);
/* owner_is_kept() - whether @st is the one user's, so that it may have one. */
bool owner_is_kept(const struct file_status *st);
/* owner_can_change() - and whether another one can be noted. */
bool owner_can_change(const struct file_status *st);
/* owner_put() - @o becomes that of what is open at @fd, of @st. The kernel's
 * mode lets the one user read and write, whatever @o says. With @fresh it was
 * made by this call, which then is not begun again. 0, -errno or RESTART. */
long owner_put(const struct owner *o, const struct file_status *st, long fd,
	       bool fresh);
/* descriptor_link() - "/proc/self/fd/N" or of AT_FDCWD, into 48 bytes. */
void descriptor_link(char *to, long fd);
/* owner_open() - O_PATH of what the call @r names, as the rules have it: a
 * descriptor, -errno or, where nothing is @fresh, RESTART. */
long owner_open(const struct record *r, long at, unsigned long path, bool follow,
		bool fresh);

/* owner_add() - before all that follow: whom owner_open() and owner_put() ask. */
void owner_add(void);
void users_calls_add(void);
void users_status_add(void);
void users_change_add(void);
void users_make_add(void);
void users_peers_add(void);
void users_proc_add(void);

#endif
