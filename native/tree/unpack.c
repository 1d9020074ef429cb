#include "unpack.h"
int unpack_tree(int argc, char **argv) { (void)argc; (void)argv; return 1; }
