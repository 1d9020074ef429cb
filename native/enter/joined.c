// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "joined.h"
#include "report.h"

const int ns_flags[NS_KINDS] = {
	CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP,
	CLONE_NEWPID, CLONE_NEWNS, CLONE_NEWUSER,
};

static const char *const ns_files[NS_KINDS] = {
	"net", "ipc", "uts", "cgroup", "pid", "mnt", "user",
};

static int open_of_process(pid_t pid, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ESRCH))
		fail_errno("no process %d to join", (int)pid);
	if (fd < 0)
		fail_errno("cannot join process %d", (int)pid);
	return fd;
}

struct joined open_joined(const struct config *c)
{
	struct joined j = { .root = -1 };
	struct stat st;

	for (int i = 0; i < NS_KINDS; i++) {
		char name[16];

		j.ns[i] = -1;
		if (!c->join[i])
			continue;
		snprintf(name, sizeof(name), "ns/%s", ns_files[i]);
		j.ns[i] = open_of_process(c->join[i], name, O_RDONLY);
	}
	if (c->expect_net && (j.ns[NS_NET] < 0 ||
			      fstat(j.ns[NS_NET], &st) < 0 ||
			      st.st_ino != c->expect_net))
		fail("process %d has another network than was expected",
		     (int)c->join[NS_NET]);
	if (c->join[NS_MNT])
		j.root = open_of_process(c->join[NS_MNT], "root",
					 O_PATH | O_DIRECTORY);
	return j;
}

void enter_joined(const struct joined *j)
{
	for (int i = 0; i < NS_KINDS; i++)
		if (j->ns[i] >= 0 && setns(j->ns[i], ns_flags[i]) < 0)
			fail_errno("cannot join the %s namespace", ns_files[i]);
	if (j->root >= 0 &&
	    (fchdir(j->root) < 0 || chroot(".") < 0 || chdir("/") < 0))
		fail_errno("cannot enter the root of the process");
}
