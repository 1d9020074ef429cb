/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_SEARCH_H
#define TRANSHIP_ENGINE_SEARCH_H

/* search_path() - @file as a shell finds a command by PATH of @environment; ends
 * where there is none. */
const char *search_path(const char *file, char *const *environment);

#endif
