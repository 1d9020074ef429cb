// SPDX-License-Identifier: Apache-2.0
/*
 * tree - a directory tree with everything that the kernel knows of it:
 * "serve" tells, "unpack" makes, "place" adds to one that is in use.
 * docs/internals/records.md, section 1.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "die.h"
#include "serve.h"
#include "unpack.h"

static _Noreturn void usage(void)
{
	die("usage: tree serve [--no-openat2] ROOT\n"
	    "       tree unpack [--no-openat2] [--max-bytes N] "
	    "[--max-entries N]\n"
	    "                   [--allow-device MAJOR:MINOR]... "
	    "[--uid-map IN:OUT:COUNT]...\n"
	    "                   [--gid-map IN:OUT:COUNT]... DEST\n"
	    "       tree place ROOT");
}

int main(int argc, char **argv)
{
	bool no_openat2 = false;

	program_name = "tree";
	if (argc < 3)
		usage();
	if (strcmp(argv[1], "unpack") == 0)
		return unpack_tree(argc - 2, argv + 2);
	if (strcmp(argv[1], "place") == 0 && argc == 3)
		return place_objects(argv[2]);
	if (strcmp(argv[1], "serve") != 0)
		usage();
	if (argc == 4 && strcmp(argv[2], "--no-openat2") == 0)
		no_openat2 = true;
	else if (argc != 3)
		usage();
	return serve_tree(argv[argc - 1], no_openat2);
}
