// SPDX-License-Identifier: Apache-2.0
/*
 * Ids and groups as kernel/sys.c and kernel/groups.c change them, and what that
 * does to capabilities (cap_task_fix_setuid() of security/commoncap.c).
 */
#include <linux/errno.h>

#include "ids.h"
#include "text.h"

/* What the id of files takes and gives back: CHOWN to FSETID, LINUX_IMMUTABLE,
 * MKNOD, MAC_OVERRIDE. */
#define CAPS_FS (0x1fUL | 1UL << 9 | 1UL << 27 | 1UL << 32)

void ids_root(struct ids *i)
{
	memset(i, 0, sizeof(*i));
	i->effective = i->permitted = i->bound = CAPS_ALL;
}

bool ids_may(const struct ids *i, unsigned int cap)
{
	return i->effective & CAP_BIT(cap);
}

bool ids_in_group(const struct ids *i, uint32_t gid)
{
	if (i->gid[ID_FS] == gid)
		return true;
	for (uint32_t n = 0; n < i->count; n++)
		if (i->group[n] == gid)
			return true;
	return false;
}

static bool has_root(const uint32_t *uid)
{
	return uid[ID_REAL] == 0 || uid[ID_EFFECTIVE] == 0 || uid[ID_SAVED] == 0;
}

/* cap_emulate_setxuid() */
static void fix_capabilities(struct ids *i, const uint32_t *was)
{
	if (i->secure & SECURE_NO_SETUID_FIXUP)
		return;
	if (has_root(was) && !has_root(i->uid)) {
		if (!(i->secure & SECURE_KEEP_CAPS))
			i->permitted = i->effective = 0;
		i->ambient = 0;
	}
	if (was[ID_EFFECTIVE] == 0 && i->uid[ID_EFFECTIVE] != 0)
		i->effective = 0;
	if (was[ID_EFFECTIVE] != 0 && i->uid[ID_EFFECTIVE] == 0)
		i->effective = i->permitted;
}

static void put_uids(struct ids *i, const uint32_t uid[ID_KINDS])
{
	uint32_t was[ID_KINDS];

	memcpy(was, i->uid, sizeof(was));
	memcpy(i->uid, uid, sizeof(was));
	fix_capabilities(i, was);
}

/* @id becomes what setuid(@wanted) makes of it. */
static long set_one(uint32_t id[ID_KINDS], uint32_t wanted, bool may)
{
	if (wanted == NO_ID)
		return -EINVAL;
	if (may)
		id[ID_REAL] = id[ID_SAVED] = wanted;
	else if (wanted != id[ID_REAL] && wanted != id[ID_SAVED])
		return -EPERM;
	id[ID_EFFECTIVE] = id[ID_FS] = wanted;
	return 0;
}

static long set_two(uint32_t id[ID_KINDS], uint32_t real, uint32_t effective,
		    bool may)
{
	uint32_t was[ID_KINDS];

	memcpy(was, id, sizeof(was));
	if (real != NO_ID) {
		if (real != was[ID_REAL] && real != was[ID_EFFECTIVE] && !may)
			return -EPERM;
		id[ID_REAL] = real;
	}
	if (effective != NO_ID) {
		if (effective != was[ID_REAL] && effective != was[ID_EFFECTIVE] &&
		    effective != was[ID_SAVED] && !may)
			return -EPERM;
		id[ID_EFFECTIVE] = effective;
	}
	if (real != NO_ID ||
	    (effective != NO_ID && effective != was[ID_REAL]))
		id[ID_SAVED] = id[ID_EFFECTIVE];
	id[ID_FS] = id[ID_EFFECTIVE];
	return 0;
}

/* 1: there is nothing to do, and the id of files stays what it is. */
static long set_three(uint32_t id[ID_KINDS], const uint32_t wanted[3], bool may)
{
	uint32_t was[ID_KINDS];
	bool changes = false;

	memcpy(was, id, sizeof(was));
	for (unsigned int k = 0; k < 3; k++)
		changes = changes || (wanted[k] != NO_ID && wanted[k] != was[k]);
	if (!changes && (wanted[ID_EFFECTIVE] == NO_ID ||
			 wanted[ID_EFFECTIVE] == was[ID_FS]))
		return 1;
	for (unsigned int k = 0; k < 3; k++) {
		if (wanted[k] == NO_ID)
			continue;
		if (!may && wanted[k] != was[ID_REAL] &&
		    wanted[k] != was[ID_EFFECTIVE] && wanted[k] != was[ID_SAVED])
			return -EPERM;
		id[k] = wanted[k];
	}
	id[ID_FS] = id[ID_EFFECTIVE];
	return 0;
}

long ids_setuid(struct ids *i, uint32_t uid)
{
	uint32_t next[ID_KINDS];
	long result;

	memcpy(next, i->uid, sizeof(next));
	result = set_one(next, uid, ids_may(i, CAP_SETUID));
	if (result == 0)
		put_uids(i, next);
	return result;
}

long ids_setreuid(struct ids *i, uint32_t real, uint32_t effective)
{
	uint32_t next[ID_KINDS];
	long result;

	memcpy(next, i->uid, sizeof(next));
	result = set_two(next, real, effective, ids_may(i, CAP_SETUID));
	if (result == 0)
		put_uids(i, next);
	return result;
}

long ids_setresuid(struct ids *i, const uint32_t wanted[3])
{
	uint32_t next[ID_KINDS];
	long result;

	memcpy(next, i->uid, sizeof(next));
	result = set_three(next, wanted, ids_may(i, CAP_SETUID));
	if (result == 0)
		put_uids(i, next);
	return result < 0 ? result : 0;
}

static long put_gids(struct ids *i, const uint32_t gid[ID_KINDS], long result)
{
	if (result == 0)
		memcpy(i->gid, gid, sizeof(i->gid));
	return result < 0 ? result : 0;
}

long ids_setgid(struct ids *i, uint32_t gid)
{
	uint32_t next[ID_KINDS];

	memcpy(next, i->gid, sizeof(next));
	return put_gids(i, next, set_one(next, gid, ids_may(i, CAP_SETGID)));
}

long ids_setregid(struct ids *i, uint32_t real, uint32_t effective)
{
	uint32_t next[ID_KINDS];

	memcpy(next, i->gid, sizeof(next));
	return put_gids(i, next,
			set_two(next, real, effective, ids_may(i, CAP_SETGID)));
}

long ids_setresgid(struct ids *i, const uint32_t wanted[3])
{
	uint32_t next[ID_KINDS];

	memcpy(next, i->gid, sizeof(next));
	return put_gids(i, next,
			set_three(next, wanted, ids_may(i, CAP_SETGID)));
}

static bool is_one_of(const uint32_t id[ID_KINDS], uint32_t wanted)
{
	return wanted == id[ID_REAL] || wanted == id[ID_EFFECTIVE] ||
	       wanted == id[ID_SAVED] || wanted == id[ID_FS];
}

long ids_setfsuid(struct ids *i, uint32_t uid)
{
	uint32_t was = i->uid[ID_FS];

	if (uid == NO_ID || uid == was ||
	    !(is_one_of(i->uid, uid) || ids_may(i, CAP_SETUID)))
		return was;
	i->uid[ID_FS] = uid;
	if (!(i->secure & SECURE_NO_SETUID_FIXUP)) {
		if (was == 0)
			i->effective &= ~CAPS_FS;
		if (uid == 0)
			i->effective |= i->permitted & CAPS_FS;
	}
	return was;
}

long ids_setfsgid(struct ids *i, uint32_t gid)
{
	uint32_t was = i->gid[ID_FS];

	if (gid != NO_ID &&
	    (is_one_of(i->gid, gid) || ids_may(i, CAP_SETGID)))
		i->gid[ID_FS] = gid;
	return was;
}

long ids_setgroups(struct ids *i, uint32_t *group, size_t count)
{
	if (!ids_may(i, CAP_SETGID))
		return -EPERM;
	if (count > IDS_GROUPS)
		return -EINVAL;
	for (size_t n = 1; n < count; n++) {
		uint32_t one = group[n];
		size_t at = n;

		for (; at > 0 && group[at - 1] > one; at--)
			group[at] = group[at - 1];
		group[at] = one;
	}
	for (size_t n = 0; n < count; n++)
		if (group[n] == NO_ID)
			return -EINVAL;
	memcpy(i->group, group, count * sizeof(*group));
	i->count = (uint32_t)count;
	return 0;
}
