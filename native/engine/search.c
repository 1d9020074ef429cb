// SPDX-License-Identifier: Apache-2.0
#include "engine.h"
#include "kept.h"
#include "paths.h"
#include "search.h"
#include "sys.h"
#include "text.h"

static bool may_execute(const char *path)
{
	char real[PATH_SIZE];
	struct file_status st;

	return text_copy(real, sizeof(real), path) &&
	       path_real(real, sizeof(real)) == 0 &&
	       SYS(__NR_newfstatat, AT_FDCWD, real, &st, 0) == 0 &&
	       (st.mode & S_IFMT) == S_IFREG &&
	       SYS(__NR_faccessat, AT_FDCWD, real, X_OK) == 0;
}

/* As a shell looks for a command: what may be executed counts. */
const char *search_path(const char *file, char *const *environment)
{
	static char found[PATH_SIZE] LARGE;
	const char *path = NULL;

	for (; *environment; environment++)
		if (strncmp(*environment, "PATH=", 5) == 0)
			path = *environment + 5;
	if (!path || !*file || strchr(file, '/'))
		return file;
	for (;;) {
		const char *colon = strchr(path, ':');
		size_t n = colon ? (size_t)(colon - path) : strlen(path);

		if (n > 0 && n + strlen(file) + 2 < sizeof(found)) {
			memcpy(found, path, n);
			found[n] = '/';
			text_copy(found + n + 1, sizeof(found) - n - 1, file);
			if (may_execute(found))
				return found;
		}
		if (!path[n])
			engine_die(EXIT_NOT_FOUND, "not found in PATH", file);
		path += n + 1;
	}
}
