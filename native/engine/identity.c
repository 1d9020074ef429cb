// SPDX-License-Identifier: Apache-2.0
/*
 * Element: what uname() tells. Replicates newuname() of kernel/sys.c; the C
 * library's gethostname() and getdomainname() come here as well.
 */
#include "dispatch.h"
#include "engine.h"
#include "gate.h"
#include "sys.h"
#include "text.h"

struct names {
	char system[UTS_SIZE], node[UTS_SIZE], release[UTS_SIZE],
		version[UTS_SIZE], machine[UTS_SIZE], domain[UTS_SIZE];
};

static void put(char *to, const char *from)
{
	if (from[0])
		memcpy(to, from, UTS_SIZE);
}

static long call_uname(struct record *r)
{
	const struct policy *p = &engine.policy;
	struct names names;
	long result = SYS(__NR_uname, &names);

	if (result < 0)
		return result;
	put(names.node, p->node);
	put(names.release, p->release);
	put(names.version, p->version);
	put(names.machine, p->machine);
	put(names.domain, p->domain);
	return copy_bytes((void *)r->rdi, &names, sizeof(names));
}

void identity_add(void)
{
	const struct policy *p = &engine.policy;

	if (p->node[0] || p->domain[0] || p->release[0] || p->version[0] ||
	    p->machine[0])
		dispatch_add(__NR_uname, call_uname);
}
