// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "breaches.h"

/* An instance may write there what it likes, and as often. */
#define HEALTH_AGAIN_MS 1000

/* read_word() - Return: the event for what it says; NULL for anything else */
static const char *read_word(const struct options *o)
{
	char text[32] = "";
	struct stat st;
	ssize_t n;
	int fd = open(o->health, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
		      O_NONBLOCK);

	if (fd < 0)
		return NULL;
	n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ?
		read(fd, text, sizeof(text) - 1) : 0;
	close(fd);
	text[n > 0 ? n : 0] = 0;
	if (strcmp(text, "healthy\n") == 0)
		return o->healthy;
	if (strcmp(text, "unhealthy\n") == 0)
		return o->unhealthy;
	return NULL;
}

void health_look(const struct options *o)
{
	static const char *told;
	static int64_t when;
	const char *event;

	if (!o->health || (when > 0 && now_ms() - when < HEALTH_AGAIN_MS))
		return;
	event = read_word(o);
	if (!event || event == told)
		return;
	told = event;
	when = now_ms();
	tell_event(o, event);
}
