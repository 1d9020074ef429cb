// SPDX-License-Identifier: Apache-2.0
#include <grp.h>
#include <sys/prctl.h>

#include <linux/capability.h>

#include "identity.h"
#include "report.h"
#include "sys.h"

static void bound_caps(uint64_t mask)
{
	for (int cap = 0; cap < 64; cap++)
		if (!(mask >> cap & 1) && prctl(PR_CAPBSET_READ, cap) == 1 &&
		    prctl(PR_CAPBSET_DROP, cap) < 0)
			fail_errno("cannot drop capability %d", cap);
}

static void limit_caps(uint64_t mask)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		fail_errno("capget");
	for (int i = 0; i < 2; i++) {
		uint32_t part = (uint32_t)(mask >> (32 * i));

		data[i].permitted &= part;
		data[i].effective &= part;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		fail_errno("capset");
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

void identity_take(const struct config *c)
{
	/* The bound first, while we may still lower it; it takes nothing from
	 * this process yet. The rest last: changing the user needs it. */
	if (c->limit_caps)
		bound_caps(c->caps);
	if (c->set_user && (setgroups(c->group_count, c->groups) < 0 ||
			    setresgid(c->gid, c->gid, c->gid) < 0))
		fail_errno("cannot become group %u", (unsigned int)c->gid);
	if (c->set_user && setresuid(c->uid, c->uid, c->uid) < 0)
		fail_errno("cannot become user %u", (unsigned int)c->uid);
	if (c->limit_caps)
		limit_caps(c->caps);
	if (c->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail_errno("prctl");
}
