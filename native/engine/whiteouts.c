// SPDX-License-Identifier: Apache-2.0
/*
 * What says in the own layer that nothing of the layers below is to be seen: a
 * character device 0/0 in the place of a name, an attribute of a directory (fs/
 * overlayfs/dir.c).
 */
#include "layers.h"
#include "listing.h"
#include "sys.h"
#include "text.h"

#define S_IFCHR 0020000
#define RENAME_EXCHANGE 2

long layers_close(const char *own)
{
	long result = SYS(__NR_lsetxattr, own, "trusted.overlay.opaque", "y", 1,
			  0);

	if (result < 0)
		result = SYS(__NR_lsetxattr, own, "user.overlay.opaque", "y", 1,
			     0);
	return result;
}

static void clear_names(char *own, bool deep)
{
	size_t n = strlen(own);
	struct listing names;

	listing_own(&names, own);
	for (size_t i = 0; i < names.count; i++) {
		const struct listed *one = &names.names[i];

		if (text_join(own, PATH_SIZE, own, "/") &&
		    text_join(own, PATH_SIZE, own, listing_name(&names, i))) {
			if (one->white)
				SYS(__NR_unlinkat, AT_FDCWD, own, 0);
			else if (deep && one->type == DT_DIR)
				clear_names(own, true);
		}
		own[n] = 0;
	}
	listing_free(&names);
}

void layers_clear(const char *own)
{
	char path[PATH_SIZE];

	text_copy(path, PATH_SIZE, own);
	clear_names(path, false);
}

void layers_clear_deep(char *own)
{
	clear_names(own, true);
}

long layers_whiten(uint32_t rule, const char *own, bool there, bool directory)
{
	struct rule r = rule_get(rules_now(), rule);
	char temporary[PATH_SIZE];
	long result;

	if (!there)
		return SYS(__NR_mknodat, AT_FDCWD, own, S_IFCHR, 0);
	result = layers_room(&r, temporary);
	if (result == 0)
		result = SYS(__NR_mknodat, AT_FDCWD, temporary, S_IFCHR, 0);
	if (result < 0)
		return result;
	result = SYS(__NR_renameat2, AT_FDCWD, temporary, AT_FDCWD, own,
		     directory ? RENAME_EXCHANGE : 0);
	if (result == 0 && directory) {
		layers_clear(temporary);
		SYS(__NR_unlinkat, AT_FDCWD, temporary, 0x200);
	}
	if (result < 0)
		SYS(__NR_unlinkat, AT_FDCWD, temporary, 0);
	return result;
}
