// SPDX-License-Identifier: Apache-2.0
/*
 * A file that is opened through io_uring alone, as some servers do where the
 * kernel lets them. Where it does not, as in most containers, they open it as
 * everybody does.
 */
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include "check.h"

static void *map(int ring, size_t size, off_t what)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE, ring, what);

	return at == MAP_FAILED ? NULL : at;
}

static int open_by_ring(int ring, const struct io_uring_params *p,
			const char *path)
{
	char *sq = map(ring, p->sq_off.array + p->sq_entries * 4,
		       IORING_OFF_SQ_RING);
	char *cq = map(ring, p->cq_off.cqes + p->cq_entries *
		       sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	struct io_uring_sqe *entry = map(ring, p->sq_entries * sizeof(*entry),
					 IORING_OFF_SQES);
	struct io_uring_cqe *done;

	if (!sq || !cq || !entry)
		return -1;
	memset(entry, 0, sizeof(*entry));
	entry->opcode = IORING_OP_OPENAT;
	entry->fd = AT_FDCWD;
	entry->addr = (unsigned long)path;
	entry->open_flags = O_RDONLY;
	((unsigned *)(sq + p->sq_off.array))[0] = 0;
	atomic_store((_Atomic unsigned *)(sq + p->sq_off.tail), 1);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		return -1;
	done = (struct io_uring_cqe *)(cq + p->cq_off.cqes);
	return done->res;
}

int main(void)
{
	struct io_uring_params p = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &p);
	int refused = ring < 0 && (errno == EPERM || errno == ENOSYS);

	check_fd("opened", refused ? open("/srv/ring/only", O_RDONLY)
				   : open_by_ring(ring, &p, "/srv/ring/only"),
		 "by the ring\n");
	return check_failed;
}
