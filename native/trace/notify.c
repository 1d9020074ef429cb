// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. A call that waits at the listener costs one switch to the tracer
 * and one back, on one processor where the kernel can wake so (6.6 and
 * later). The tracer has two things to wait for: such calls, and its tasks'
 * events of ptrace, which come as SIGCHLD. It sleeps in the first, and the
 * handler of SIGCHLD leaves that by a jump: so a signal that comes between
 * looking and sleeping is not overslept. What the kernel has given before the
 * jump lies in the buffer and counts.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "die.h"
#include "notify.h"
#include "without.h"

#define SET_FLAGS SECCOMP_IOW(4, __u64)
#define SYNC_WAKE_UP 1UL
#define ROOM 512	/* a newer kernel may say more */

static int listener = -1;
static size_t told_size = ROOM;	/* what this kernel wants to find zeroed */
static union {
	struct seccomp_notif told;
	char room[ROOM];
} in;
static union {
	struct seccomp_notif_resp said;
	char room[ROOM];
} out;
static sigjmp_buf away;
static volatile sig_atomic_t sleeping, event;

static void on_child(int sig)
{
	(void)sig;
	event = 1;
	if (sleeping) {
		sleeping = 0;
		siglongjmp(away, 1);
	}
}

int notify_hand_over(int socket, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char c = 'l';
	struct iovec data = { &c, 1 };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	memset(&control, 0, sizeof(control));
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
	return sendmsg(socket, &m, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int take(int socket)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char c;
	struct iovec data = { &c, 1 };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	long n;
	int fd;

	do {
		n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n != 1 || m.msg_controllen < CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(int));
	return fd;
}

bool notify_open(int socket)
{
	struct sigaction child = { .sa_handler = on_child,
				   .sa_flags = SA_NODEFER };
	struct seccomp_notif_sizes sizes = { 0, 0, 0 };

	listener = take(socket);
	if (listener < 0)
		return false;
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0 ||
	    sizes.seccomp_notif > ROOM || sizes.seccomp_notif_resp > ROOM)
		die("the kernel's notifications are of an unknown size");
	told_size = sizes.seccomp_notif;
	/* Without it the answer is the same and comes later. */
	if (!without.sync_wake_up)
		ioctl(listener, SET_FLAGS, SYNC_WAKE_UP);
	sigaction(SIGCHLD, &child, NULL);
	return true;
}

bool notify_event(void)
{
	if (!event)
		return false;
	event = 0;
	return true;
}

const struct seccomp_notif *notify_wait(void)
{
	memset(&in, 0, told_size);
	if (sigsetjmp(away, 0) == 0) {
		sleeping = 1;
		if (!event)
			ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &in);
		sleeping = 0;
	}
	return in.told.pid != 0 ? &in.told : NULL;
}

bool notify_valid(uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

bool notify_continue(uint64_t id)
{
	/* Nothing else of it is ever set, so the rest stays 0. */
	out.said.id = id;
	out.said.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &out) == 0;
}
