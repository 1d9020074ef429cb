/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_BATCHES_H
#define TRANSHIP_ENGINE_BATCHES_H

/* batches_add() - answers sendmmsg() where sendmsg() is answered; after those
 * who do that. */
void batches_add(void);

#endif
