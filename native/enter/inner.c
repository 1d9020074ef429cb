// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"
#include "die.h"
#include "inner.h"
#include "report.h"
#include "sys.h"

/* The kernel shows the settings of the namespace that asks. */
static void set_setting(const char *path, const char *value)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t n = strlen(value);

	if (fd < 0 && errno == ENOENT)
		fail("network: a network of its own has no setting %s", path);
	if (fd < 0 || write(fd, value, n) != (ssize_t)n)
		fail_errno("network: cannot set %s to %s", path, value);
}

/* set_named() - net.ipv4.ip_forward=1: each point is a directory. Who starts us
 * has seen to it that no part is "" or "..". */
static void set_named(const char *setting)
{
	const char *value = strchr(setting, '=');
	char path[256];
	int n;

	if (!value)
		fail("--net-setting: not NAME=VALUE: %s", setting);
	n = snprintf(path, sizeof(path), "/proc/sys/%.*s",
		     (int)(value - setting), setting);
	if ((size_t)n >= sizeof(path))
		fail("--net-setting: too long: %s", setting);
	for (char *c = path + strlen("/proc/sys/"); *c; c++)
		if (*c == '.')
			*c = '/';
	set_setting(path, value + 1);
}

static void load_rules(const char *file)
{
	pid_t child = fork();
	int status = 0;

	if (child < 0)
		fail_errno("fork");
	if (child == 0) {
		execlp("nft", "nft", "-f", file, (char *)NULL);
		execl("/usr/sbin/nft", "nft", "-f", file, (char *)NULL);
		_exit(EXIT_NOT_FOUND);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fail_errno("waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND)
		fail("network: redirections need nft, which is not installed");
	if (status != 0)
		fail("network: nft does not take the rules of %s", file);
}

void inner_set_up(const struct config *c)
{
	for (size_t i = 0; i < c->lo_count; i++)
		net_loopback_address(c->lo_addresses[i]);
	if (c->route_localnet)
		set_setting("/proc/sys/net/ipv4/conf/all/route_localnet", "1");
	if (c->rules)
		load_rules(c->rules);
	for (size_t i = 0; i < c->setting_count; i++)
		set_named(c->settings[i]);
}
