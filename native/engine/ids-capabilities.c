// SPDX-License-Identifier: Apache-2.0
/* Capabilities as security/commoncap.c changes them: capset(), prctl(),
 * execve(). */
#include <linux/errno.h>
#include <linux/prctl.h>

#include "ids.h"

#define S_ISUID 04000
#define S_ISGID 02000
#define S_IXGRP 00010

/* cap_capset() */
long ids_capset(struct ids *i, uint64_t effective, uint64_t permitted,
		uint64_t inheritable)
{
	effective &= CAPS_ALL;
	permitted &= CAPS_ALL;
	inheritable &= CAPS_ALL;
	if (!ids_may(i, CAP_SETPCAP) &&
	    inheritable & ~(i->inheritable | i->permitted))
		return -EPERM;
	if (inheritable & ~(i->inheritable | i->bound) ||
	    permitted & ~i->permitted || effective & ~permitted)
		return -EPERM;
	i->effective = effective;
	i->permitted = permitted;
	i->inheritable = inheritable;
	i->ambient &= permitted & inheritable;
	return 0;
}

static long set_bits(struct ids *i, unsigned long bits)
{
	unsigned long locked = i->secure & SECURE_LOCKS;

	if ((locked >> 1) & (i->secure ^ bits) || locked & ~bits ||
	    bits & ~(unsigned long)(SECURE_BITS | SECURE_LOCKS) ||
	    !ids_may(i, CAP_SETPCAP))
		return -EPERM;
	i->secure = (uint32_t)bits | (i->secure & SECURE_EXECUTED);
	return 0;
}

static long keep(struct ids *i, unsigned long on)
{
	if (on > 1)
		return -EINVAL;
	if (i->secure & SECURE_KEEP_CAPS_LOCKED)
		return -EPERM;
	i->secure = on ? i->secure | SECURE_KEEP_CAPS
		       : i->secure & ~(uint32_t)SECURE_KEEP_CAPS;
	return 0;
}

static long drop(struct ids *i, unsigned long cap)
{
	if (!ids_may(i, CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST)
		return -EINVAL;
	i->bound &= ~CAP_BIT(cap);
	return 0;
}

static long ambient(struct ids *i, const unsigned long args[5])
{
	unsigned long bit;

	if (args[1] == PR_CAP_AMBIENT_CLEAR_ALL) {
		if (args[2] | args[3] | args[4])
			return -EINVAL;
		i->ambient = 0;
		return 0;
	}
	if (args[2] > CAP_LAST || args[3] | args[4])
		return -EINVAL;
	bit = CAP_BIT(args[2]);
	switch (args[1]) {
	case PR_CAP_AMBIENT_IS_SET:
		return !!(i->ambient & bit);
	case PR_CAP_AMBIENT_RAISE:
		if (!(i->permitted & i->inheritable & bit) ||
		    i->secure & SECURE_NO_CAP_AMBIENT_RAISE)
			return -EPERM;
		i->ambient |= bit;
		return 0;
	case PR_CAP_AMBIENT_LOWER:
		i->ambient &= ~bit;
		return 0;
	default:
		return -EINVAL;
	}
}

/* cap_task_prctl() */
bool ids_prctl(struct ids *i, const unsigned long args[5], long *result)
{
	switch (args[0]) {
	case PR_CAPBSET_READ:
		*result = args[1] > CAP_LAST
				  ? -EINVAL : !!(i->bound & CAP_BIT(args[1]));
		return true;
	case PR_CAPBSET_DROP:
		*result = drop(i, args[1]);
		return true;
	case PR_SET_SECUREBITS:
		*result = set_bits(i, args[1]);
		return true;
	case PR_GET_SECUREBITS:
		*result = i->secure & (SECURE_BITS | SECURE_LOCKS);
		return true;
	case PR_GET_KEEPCAPS:
		*result = !!(i->secure & SECURE_KEEP_CAPS);
		return true;
	case PR_SET_KEEPCAPS:
		*result = keep(i, args[1]);
		return true;
	case PR_CAP_AMBIENT:
		*result = ambient(i, args);
		return true;
	default:
		return false;
	}
}

bool ids_secure(const struct ids *i)
{
	return i->secure & SECURE_EXECUTED;
}

/* bprm_fill_uid() of fs/exec.c and cap_bprm_creds_from_file() as of Linux 6.16.
 * Files have no capabilities here. */
void ids_execute(struct ids *i, uint32_t mode, uint32_t uid, uint32_t gid)
{
	uint32_t was = i->uid[ID_EFFECTIVE];
	bool whole = false, changed;

	if (mode & S_ISUID)
		i->uid[ID_EFFECTIVE] = uid;
	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		i->gid[ID_EFFECTIVE] = gid;
	changed = i->uid[ID_EFFECTIVE] != was ||
		  !ids_in_group(i, i->gid[ID_EFFECTIVE]);
	if (changed)
		i->ambient = 0;
	i->permitted = 0;
	if (!(i->secure & SECURE_NOROOT)) {
		if (i->uid[ID_EFFECTIVE] == 0 || i->uid[ID_REAL] == 0)
			i->permitted = i->bound | i->inheritable;
		whole = i->uid[ID_EFFECTIVE] == 0;
	}
	i->permitted |= i->ambient;
	i->effective = whole ? i->permitted : i->ambient;
	i->uid[ID_SAVED] = i->uid[ID_FS] = i->uid[ID_EFFECTIVE];
	i->gid[ID_SAVED] = i->gid[ID_FS] = i->gid[ID_EFFECTIVE];
	i->secure &= ~(uint32_t)(SECURE_KEEP_CAPS | SECURE_EXECUTED);
	if (changed || i->uid[ID_REAL] != i->uid[ID_EFFECTIVE] ||
	    i->gid[ID_REAL] != i->gid[ID_EFFECTIVE])
		i->secure |= SECURE_EXECUTED;
}
