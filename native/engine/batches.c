// SPDX-License-Identifier: Apache-2.0
/*
 * sendmmsg(): as __sys_sendmmsg() of net/socket.c, one message after the other,
 * each as sendmsg() is answered. The number of those that were sent comes before
 * what went wrong with the next.
 */
#include "batches.h"
#include "dispatch.h"
#include "gate.h"
#include "sockets.h"
#include "sys.h"

#define MESSAGES_MAX 1024	/* UIO_MAXIOV */

static unsigned long message(const struct record *r, unsigned int i)
{
	return r->rsi + (unsigned long)i * MESSAGE_SIZE;
}

/* Without addresses it is for the kernel, which sends all in one call. */
static bool has_address(const struct record *r, unsigned int n)
{
	unsigned long name;

	for (unsigned int i = 0; i < n; i++)
		if (copy_bytes(&name, (void *)message(r, i), sizeof(name)) == 0 &&
		    name)
			return true;
	return false;
}

static long send_one(struct record *r, unsigned long at)
{
	struct record one = *r;
	unsigned int sent;
	long n;

	one.nr = __NR_sendmsg;
	one.rsi = at;
	one.rdx = r->r10;
	n = dispatch_get(__NR_sendmsg)(&one);
	if (n < 0)
		return n;
	sent = (unsigned int)n;
	return copy_bytes((void *)(at + MESSAGE_LENGTH), &sent, sizeof(sent));
}

static long call_sendmmsg(struct record *r)
{
	unsigned int n = (unsigned int)r->rdx, i;
	long result = 0;

	if (n > MESSAGES_MAX)
		n = MESSAGES_MAX;
	if (!has_address(r, n))
		return call_through(r);
	for (i = 0; i < n && result == 0; i++)
		result = send_one(r, message(r, i));
	if (result == 0)
		return n;
	return i > 1 ? i - 1 : result;
}

void batches_add(void)
{
	if (dispatch_get(__NR_sendmsg))
		dispatch_add(__NR_sendmmsg, call_sendmmsg);
}
