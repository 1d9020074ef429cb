// SPDX-License-Identifier: Apache-2.0
/*
 * Element: users. The calls that tell and set ids, groups and capabilities of
 * the calling thread. None of them reaches the kernel, but for prctl() of other
 * things.
 */
#include "gate.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define CAPABILITY_1 0x19980330U
#define CAPABILITY_2 0x20071026U
#define CAPABILITY_3 0x20080522U

static long call_one(struct record *r)
{
	const struct ids *i = users_self();

	switch (r->nr) {
	case __NR_getuid:
		return i->uid[ID_REAL];
	case __NR_geteuid:
		return i->uid[ID_EFFECTIVE];
	case __NR_getgid:
		return i->gid[ID_REAL];
	default:
		return i->gid[ID_EFFECTIVE];
	}
}

static long call_three(struct record *r)
{
	const struct ids *i = users_self();
	const uint32_t *id = r->nr == __NR_getresuid ? i->uid : i->gid;
	unsigned long to[] = { r->rdi, r->rsi, r->rdx };

	for (unsigned int k = 0; k < 3; k++)
		if (copy_bytes((void *)to[k], &id[k], sizeof(id[k])) < 0)
			return -EFAULT;
	return 0;
}

static long change(struct ids *i, const struct record *r)
{
	uint32_t one = (uint32_t)r->rdi, two = (uint32_t)r->rsi,
		 all[] = { one, two, (uint32_t)r->rdx };

	switch (r->nr) {
	case __NR_setuid:
		return ids_setuid(i, one);
	case __NR_setgid:
		return ids_setgid(i, one);
	case __NR_setreuid:
		return ids_setreuid(i, one, two);
	case __NR_setregid:
		return ids_setregid(i, one, two);
	case __NR_setresuid:
		return ids_setresuid(i, all);
	case __NR_setresgid:
		return ids_setresgid(i, all);
	case __NR_setfsuid:
		return ids_setfsuid(i, one);
	default:
		return ids_setfsgid(i, one);
	}
}

static long call_set(struct record *r)
{
	long result = change(users_self(), r);

	users_changed();
	return result;
}

static long call_getgroups(struct record *r)
{
	const struct ids *i = users_self();
	int room = (int)r->rdi;

	if (room < 0 || (room > 0 && (uint32_t)room < i->count))
		return -EINVAL;
	if (room > 0 && copy_bytes((void *)r->rsi, i->group,
				   i->count * sizeof(*i->group)) < 0)
		return -EFAULT;
	return i->count;
}

static long call_setgroups(struct record *r)
{
	uint32_t group[IDS_GROUPS];
	size_t count = (uint32_t)r->rdi;

	if (!users_may(CAP_SETGID))
		return -EPERM;
	if (count > IDS_GROUPS)
		return -EINVAL;
	if (copy_bytes(group, (const void *)r->rsi, count * sizeof(*group)) < 0)
		return -EFAULT;
	return ids_setgroups(users_self(), group, count);
}

struct cap_head {
	uint32_t version;
	int pid;
};

/* 1 or 2 words for each set, or -errno; as cap_validate_magic(). */
static long words_of(struct cap_head *head, unsigned long at)
{
	uint32_t newest = CAPABILITY_3;

	if (copy_bytes(head, (const void *)at, sizeof(*head)) < 0)
		return -EFAULT;
	if (head->version == CAPABILITY_1)
		return 1;
	if (head->version == CAPABILITY_2 || head->version == CAPABILITY_3)
		return 2;
	return copy_bytes((void *)at, &newest, sizeof(newest)) < 0 ? -EFAULT
								   : -EINVAL;
}

/* Whose capabilities @pid has: root's are all. */
static long sets_of(int pid, uint64_t sets[3])
{
	const struct ids *i = users_self();
	uint32_t uid, gid;

	if (pid < 0)
		return -EINVAL;
	if (pid == 0 || pid == SYS(__NR_gettid)) {
		sets[0] = i->effective;
		sets[1] = i->permitted;
		sets[2] = i->inheritable;
		return 0;
	}
	if (SYS(__NR_kill, pid, 0) == -ESRCH)
		return -ESRCH;
	sets[0] = sets[1] = users_of(pid, &uid, &gid) && uid == 0 ? CAPS_ALL : 0;
	sets[2] = 0;
	return 0;
}

static long call_capget(struct record *r)
{
	struct cap_head head;
	long words = words_of(&head, r->rdi), result;
	uint64_t sets[3];
	uint32_t data[6];

	if (!r->rsi && (words > 0 || words == -EINVAL))
		return 0;
	if (words < 0)
		return words;
	result = sets_of(head.pid, sets);
	if (result < 0)
		return result;
	for (unsigned int k = 0; k < 6; k++)
		data[k] = (uint32_t)(sets[k % 3] >> (k / 3 * 32));
	return copy_bytes((void *)r->rsi, data,
			  (unsigned long)words * 3 * sizeof(*data));
}

static long call_capset(struct record *r)
{
	uint32_t data[6] = { 0 };
	uint64_t sets[3];
	struct cap_head head;
	long words = words_of(&head, r->rdi);

	if (words < 0)
		return words;
	if (head.pid != 0 && head.pid != SYS(__NR_gettid))
		return -EPERM;
	if (copy_bytes(data, (const void *)r->rsi,
		       (unsigned long)words * 3 * sizeof(*data)) < 0)
		return -EFAULT;
	for (unsigned int k = 0; k < 3; k++)
		sets[k] = data[k] | (uint64_t)data[k + 3] << 32;
	return ids_capset(users_self(), sets[0], sets[1], sets[2]);
}

static long call_prctl(struct record *r)
{
	unsigned long args[] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8 };
	long result;

	return ids_prctl(users_self(), args, &result)
		       ? result : call_before(&users_before, r);
}

void users_calls_add(void)
{
	static const unsigned short one[] = { __NR_getuid, __NR_geteuid,
		__NR_getgid, __NR_getegid },
		set[] = { __NR_setuid, __NR_setgid, __NR_setreuid,
		__NR_setregid, __NR_setresuid, __NR_setresgid, __NR_setfsuid,
		__NR_setfsgid };

	for (unsigned int k = 0; k < sizeof(one) / sizeof(one[0]); k++)
		dispatch_add(one[k], call_one);
	for (unsigned int k = 0; k < sizeof(set) / sizeof(set[0]); k++)
		dispatch_add(set[k], call_set);
	dispatch_add(__NR_getresuid, call_three);
	dispatch_add(__NR_getresgid, call_three);
	dispatch_add(__NR_getgroups, call_getgroups);
	dispatch_add(__NR_setgroups, call_setgroups);
	dispatch_add(__NR_capget, call_capget);
	dispatch_add(__NR_capset, call_capset);
	dispatch_over(&users_before, __NR_prctl, call_prctl);
}
