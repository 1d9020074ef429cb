/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_PATCH_H
#define TRANSHIP_ENGINE_PATCH_H

#include "thread.h"

/* patch_site() - the stub for the syscall instruction at @site, which has just
 * trapped with these registers: patched now, or before by another thread. NULL
 * where it has to go on trapping. */
struct stub *patch_site(unsigned long site, const struct sigcontext *c);
/* patch_possible() - whether this host lets us write code at all. */
bool patch_possible(void);
/* patch_jumps() - the call at @at is a jump of ours by now. */
bool patch_jumps(unsigned long at);
/* patch_in_progress() - SIGTRAP: true where the thread met a site being patched; it is
 * sent back to what is there now. */
bool patch_in_progress(struct sigcontext *c);

/* patch_leave_stub() - a context inside a stub becomes that of its site;
 * patch_show_site() and patch_find_tail() - a context behind a call that gave
 * way together with what follows: as the program knows it, and back. */
void patch_leave_stub(struct sigcontext *c);
void patch_show_site(struct sigcontext *c);
void patch_find_tail(struct sigcontext *c);

/* patch_known() - a call at @trapped has trapped, and one thread is alone: what is
 * known of its file, where it is time. The lock is held. */
void patch_known(unsigned long trapped);
/* patch_never() - whether @site has to go on trapping. The lock is held. */
bool patch_never(unsigned long site);

/* Held over fork(), so that the child finds it free. */
void patch_lock(void);
void patch_unlock(void);
/* patch_forked() - in the child of fork(): what the kernel forgot is asked anew. */
void patch_forked(void);

#endif
