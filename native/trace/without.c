// SPDX-License-Identifier: Apache-2.0
#include <stddef.h>
#include <string.h>

#include "without.h"

struct without without;

static const struct {
	const char *name;
	bool *off;
} known[] = {
	{ "seize", &without.seize },
	{ "exit-kill", &without.exit_kill },
	{ "vm-readv", &without.vm_readv },
	{ "syscall-info", &without.syscall_info },
	{ "pidfd", &without.pidfd },
	{ "openat2", &without.openat2 },
	{ "faccessat2", &without.faccessat2 },
	{ "sync-wake-up", &without.sync_wake_up },
};

bool without_parse(const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ","), i = 0;
		size_t count = sizeof(known) / sizeof(known[0]);

		while (i < count && (strlen(known[i].name) != n ||
				     memcmp(known[i].name, list, n) != 0))
			i++;
		if (i == count)
			return false;
		*known[i].off = true;
		list += n + (list[n] == ',');
	}
	return true;
}
