// SPDX-License-Identifier: Apache-2.0
/* A program that loads a plug-in by name: the watched run loads "one", and "two" lies beside it. Compiled with PLUGIN it is one. */
#ifdef PLUGIN
const char *says(void);

const char *says(void)
{
	return PLUGIN;
}
#else
#include <dlfcn.h>
#include "check.h"

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "one";
	char path[300];
	const char *(*says)(void) = NULL;
	void *plugin;

	snprintf(path, sizeof(path), "/usr/lib/hard/plugins/%s.so", name);
	plugin = dlopen(path, RTLD_NOW);
	if (plugin)
		*(void **)&says = dlsym(plugin, "says");
	if (check(path, says != NULL))
		puts(says());
	return check_failed;
}
#endif
