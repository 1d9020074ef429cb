/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_SUPERVISE_STEPS_H
#define TRANSHIP_SUPERVISE_STEPS_H

/* step() - call directly before the change that @name describes. As
 * src/host/steps.ts, whose count it goes on with: kill -9 at a mark of a test's
 * choice. The count is kept in the environment, for the program that we become.
 * In normal runs it costs nothing. */
void step(const char *name);

#endif
