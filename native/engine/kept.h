/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_KEPT_H
#define TRANSHIP_ENGINE_KEPT_H

/* Variables that are large, or rarely written: away from the others, so that a
 * start touches few pages. Each costs it, and each fork, as much as some calls. */
#define LARGE __attribute__((section(".bss.large")))

/* kept_text() - a copy of a path that the start finds out; there is room for a
 * few. Ends where there is not. */
const char *kept_text(const char *text);

#endif
