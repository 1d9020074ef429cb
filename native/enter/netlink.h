/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of rtnetlink: put together, sent and answered. */
#ifndef TRANSHIP_ENTER_NETLINK_H
#define TRANSHIP_ENTER_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

struct request {
	struct nlmsghdr head;
	char room[2048];
};

/* net_open() - a socket that stays in the present network namespace. */
int net_open(void);

/* begin() - a request whose body is @body bytes. Return: the body, zeroed. */
void *begin(struct request *r, int type, int flags, size_t body);
/* put() - one attribute. Return: it, for end_nest() where others go into it. */
struct rtattr *put(struct request *r, int type, const void *p, size_t n);
void put_text(struct request *r, int type, const char *text);
void put_number(struct request *r, int type, uint32_t value);
void end_nest(const struct request *r, struct rtattr *nest);

/* talk() - send, and receive the answer. Return: 0 or a negative errno; what
 * the kernel says about it is kept for fail_net(). */
int talk(int fd, struct request *r);
/* answer() - of a message that was received; as talk(). */
int answer(const char *buf, size_t length);
__attribute__((noreturn))
void fail_net(int error, const char *what, const char *name);

#endif
