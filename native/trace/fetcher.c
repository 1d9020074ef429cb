// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "die.h"
#include "fetcher.h"
#include "frame.h"

#define MAGIC "TRASK\0\0\1"
#define MAGIC_LEN 8
#define FRAME_QUESTION 1
#define FRAME_ANSWER 2
#define ANSWER_LEN (FRAME_HEADER + 1)

static int fd = -1;
static struct frame_writer out;
static unsigned char in[64 * ANSWER_LEN];
static size_t in_n;

static void let_go(const char *why)
{
	fprintf(stderr, "%s: nothing is fetched from the source any more: %s\n",
		program_name, why);
	close(fd);
	fd = -1;
}

void fetcher_connect(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *name = strrchr(path, '/');
	char dir[4096];
	int at;

	if (!name || (size_t)(name - path) >= sizeof(dir))
		die("not an absolute path: %s", path);
	memcpy(dir, path, (size_t)(name - path));
	dir[name - path] = '\0';
	/* The address of a socket is shorter than paths may be. */
	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d%s", at,
		 name);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (at < 0 || fd < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    frame_writer_init(&out, fd, FRAME_MAX + FRAME_HEADER) < 0) {
		let_go(strerror(errno));
	} else {
		put_raw(&out, MAGIC, MAGIC_LEN);
		frame_flush(&out);
	}
	if (at >= 0)
		close(at);
}

int fetcher_fd(void)
{
	return fd;
}

static void put_span(struct span s)
{
	put_bytes16(&out, s.p, s.n);
}

bool fetcher_ask(const struct question *q)
{
	frame_begin(&out, FRAME_QUESTION, q->number);
	put_u8(&out, (uint8_t)q->what);
	put_u8(&out, q->op);
	put_u8(&out, q->flags);
	put_u32(&out, (uint32_t)q->pid);
	put_u32(&out, (uint32_t)q->first);
	put_span(q->root);
	put_span(q->path);
	put_span(q->second);
	frame_end(&out);
	if (frame_flush(&out) == 0 && out.error == 0)
		return true;
	let_go("its fetcher has ended");
	return false;
}

static uint32_t word(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

void fetcher_read(const struct loop *loop, answer_taker *take)
{
	long n = recv(fd, in + in_n, sizeof(in) - in_n, MSG_DONTWAIT);
	size_t at = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		let_go("its fetcher has ended");
		return;
	}
	in_n += (size_t)n;
	for (; in_n - at >= ANSWER_LEN; at += ANSWER_LEN) {
		if (word(in + at) != 1 || in[at + 4] != FRAME_ANSWER) {
			let_go("its fetcher does not answer as it should");
			return;
		}
		take(loop, word(in + at + 5), in[at + FRAME_HEADER]);
	}
	memmove(in, in + at, in_n - at);
	in_n -= at;
}
