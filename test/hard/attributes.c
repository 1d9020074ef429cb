// SPDX-License-Identifier: Apache-2.0
/* Extended attributes, an access list, and a capability by which a program of an ordinary user serves port 80. */
#include <sys/xattr.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include "check.h"

static int serve(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(80) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check("an ordinary user", geteuid() == 33);
	check("bind port 80", fd >= 0 && bind(fd, (struct sockaddr *)&at,
					      sizeof(at)) == 0);
	check("listen", listen(fd, 1) == 0);
	return check_failed;
}

int main(int argc, char **argv)
{
	char value[256] = "";
	pid_t pid;

	if (argc > 1)
		return serve();
	check("user.note", getxattr("/srv/attr/note", "user.note", value,
				    sizeof(value)) == 4 &&
				   memcmp(value, "kept", 4) == 0);
	check("user.bytes", getxattr("/srv/attr/note", "user.bytes", value,
				     sizeof(value)) == 3 &&
				    memcmp(value, "\0\xff\n", 3) == 0);
	check("access list", getxattr("/srv/attr/acl", "system.posix_acl_access",
				      value, sizeof(value)) > 4);
	check("inherited list", getxattr("/srv/attr/inherits",
					 "system.posix_acl_default", value,
					 sizeof(value)) > 4);
	check("capability", getxattr("/srv/attr/server", "security.capability",
				     value, sizeof(value)) > 4);
	pid = fork();
	if (pid == 0) {
		if (setgid(33) < 0 || setuid(33) < 0)
			_exit(9);
		execl("/srv/attr/server", "server", "serve", (char *)NULL);
		_exit(8);
	}
	check_child("served", pid);
	(void)argv;
	return check_failed;
}
