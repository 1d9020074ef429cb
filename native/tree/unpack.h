/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_TREE_UNPACK_H
#define TRANSHIP_TREE_UNPACK_H

/* unpack_tree() - options and DEST in @argv; exit status. */
int unpack_tree(int argc, char **argv);

#endif
