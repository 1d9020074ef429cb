// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"
#include "die.h"
#include "inner.h"
#include "report.h"
#include "sys.h"

/* The kernel shows the settings of the namespace that asks. */
static void route_localnet(void)
{
	cleanup_fd int fd = open("/proc/sys/net/ipv4/conf/all/route_localnet",
				 O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) != 1)
		fail_errno("network: cannot set route_localnet");
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
		route_localnet();
	if (c->rules)
		load_rules(c->rules);
}
