/* SPDX-License-Identifier: Apache-2.0 */
/* Included before every file of the engine: all its symbols are its own, so
 * that their addresses need no table that would have to be relocated. */
#pragma GCC visibility push(hidden)
