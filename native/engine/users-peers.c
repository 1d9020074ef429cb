// SPDX-License-Identifier: Apache-2.0
/*
 * Element: users. Who others are: at the other end of a socket of AF_UNIX
 * (SO_PEERCRED, SCM_CREDENTIALS). The kernel tells the process, and the page who
 * that is: now, not when it connected.
 */
#include "gate.h"
#include "loopback.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define SCM_CREDENTIALS 2
#define CONTROL_SIZE 4096

struct credentials {
	int pid;
	uint32_t uid, gid;
};

struct control {
	uint64_t size;
	int level, type;
};

#define CONTROL_STEP(n) (((n) + 7UL) & ~7UL)

/* As the application sees what the kernel says. */
static void show(struct credentials *c)
{
	uint32_t uid, gid;

	if (c->uid != users_real_uid)
		return;
	if (!users_of(c->pid, &uid, &gid))
		uid = gid = 0;
	c->uid = uid;
	c->gid = gid;
}

static long call_getsockopt(struct record *r)
{
	long result = call_before(&users_before, r);
	struct credentials c;
	unsigned int size;

	if (result < 0 || (int)r->rsi != SOL_SOCKET ||
	    (int)r->rdx != SO_PEERCRED ||
	    copy_bytes(&size, (const void *)r->r8, sizeof(size)) < 0 ||
	    size != sizeof(c) ||
	    copy_bytes(&c, (const void *)r->r10, sizeof(c)) < 0)
		return result;
	show(&c);
	return copy_bytes((void *)r->r10, &c, sizeof(c));
}

/* Each credentials among @size bytes of control messages at @control. */
static void each(char *control, size_t size, void (*one)(struct credentials *c))
{
	struct control head;

	for (size_t at = 0; at + sizeof(head) <= size;) {
		memcpy(&head, control + at, sizeof(head));
		if (head.size < sizeof(head) || head.size > size - at)
			return;
		if (head.level == SOL_SOCKET && head.type == SCM_CREDENTIALS &&
		    head.size == sizeof(head) + sizeof(struct credentials)) {
			struct credentials c;

			memcpy(&c, control + at + sizeof(head), sizeof(c));
			one(&c);
			memcpy(control + at + sizeof(head), &c, sizeof(c));
		}
		at += CONTROL_STEP(head.size);
	}
}

static long call_recvmsg(struct record *r)
{
	long result = call_before(&users_before, r);
	char control[CONTROL_SIZE];
	unsigned long header[7];

	/* The kernel has written how much there is. */
	if (result < 0 ||
	    copy_bytes(header, (const void *)r->rsi, sizeof(header)) < 0 ||
	    header[5] == 0 || header[5] > sizeof(control) ||
	    copy_bytes(control, (const void *)header[4], header[5]) < 0)
		return result;
	each(control, header[5], show);
	copy_bytes((void *)header[4], control, header[5]);
	return result;
}

/* The kernel takes only what it knows to be true. */
static void hide(struct credentials *c)
{
	const struct ids *i = users_self();

	for (unsigned int k = 0; k < ID_FS; k++) {
		if (c->uid == i->uid[k] || ids_may(i, CAP_SETUID)) {
			c->uid = users_real_uid;
			break;
		}
	}
	for (unsigned int k = 0; k < ID_FS; k++) {
		if (c->gid == i->gid[k] || ids_may(i, CAP_SETGID)) {
			c->gid = users_real_gid;
			break;
		}
	}
}

static long call_sendmsg(struct record *r)
{
	char control[CONTROL_SIZE];
	unsigned long header[7], was = r->rsi;
	long result;

	if (copy_bytes(header, (const void *)was, sizeof(header)) < 0 ||
	    header[5] == 0 || header[5] > sizeof(control) ||
	    copy_bytes(control, (const void *)header[4], header[5]) < 0)
		return call_before(&users_before, r);
	each(control, header[5], hide);
	header[4] = (unsigned long)control;
	r->rsi = (unsigned long)header;
	result = call_before(&users_before, r);
	r->rsi = was;
	return result;
}

void users_peers_add(void)
{
	dispatch_over(&users_before, __NR_getsockopt, call_getsockopt);
	dispatch_over(&users_before, __NR_recvmsg, call_recvmsg);
	dispatch_over(&users_before, __NR_sendmsg, call_sendmsg);
}
