/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_INIT_ENGINE_H
#define TRANSHIP_INIT_ENGINE_H

/* engine_enter() - does not return where the image brings its engine and nobody
 * has started it: init begins anew below it, with the same @count words. */
void engine_enter(char **argv, int count);

#endif
