// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/net.h>
#include <string.h>
#include <sys/socket.h>

#include "look.h"
#include "memory.h"
#include "names.h"
#include "sockets.h"
#include "sockname.h"
#include "special.h"

bool enter_socket(struct task *t, const struct call *c, const uint64_t *arg,
		  unsigned kind)
{
	struct pending *k = &t->pending;
	struct sockaddr_storage addr;
	size_t n = (size_t)(uint32_t)arg[2];
	struct bind_record b;

	memset(&addr, 0, sizeof(addr));
	if (n > sizeof(addr))
		n = sizeof(addr);
	if (kind == 2)
		n = 0;
	else if (n < 2 || !memory_read(t, arg[1], &addr, n))
		return false;
	b = bind_from(&addr, n);
	if (b.family == AF_UNIX && b.address.n > 0 && b.address.p[0] &&
	    resolve(t, AT_FDCWD, b.address, false, &first_name))
		b.address = name_span(&first_name);
	if (!special_keep(t, c, b.address))
		return false;
	k->op = (uint8_t)kind;
	k->fd = (int)arg[0];
	k->family = b.family;
	k->port = b.port;
	k->flags = 0;
	if (b.family == AF_UNIX && kind == 1 && k->n > 0 && k->text[0] &&
	    existed(t, &first_name, true))
		k->flags = PATH_EXISTED;
	return true;
}

void exit_socket(struct task *t, int32_t result)
{
	const struct pending *k = &t->pending;
	struct bind_record b = { .family = k->family, .port = k->port,
				 .address = { k->text, k->n }, .kind = k->op,
				 .result = result };
	struct path_record r = { .op = OP_SOCKET, .flags = k->flags,
				 .result = result, .path = b.address,
				 .second = { "", 0 } };
	struct sockaddr_storage addr;
	socklen_t n;

	if (k->op != 3 && result == 0) {
		/* Asked for, because port 0 stands for any free one. */
		memset(&addr, 0, sizeof(addr));
		n = sockname(t, k->fd, &addr);
		if (n > 0 && (k->op == 2 || addr.ss_family != AF_UNIX)) {
			b = bind_from(&addr, n);
			b.kind = k->op;
			if (b.family == AF_UNIX && b.address.n > 0 &&
			    b.address.p[0] &&
			    resolve(t, AT_FDCWD, b.address, false, &first_name))
				b.address = name_span(&first_name);
		}
	}
	record_bind(t->pid, &b);
	if (k->op != 2 && b.family == AF_UNIX && b.address.n > 0 &&
	    b.address.p[0] == '/')
		record_path(t->pid, &r, record_key(&r, t->program));
}

bool enter_socketcall(struct task *t, const struct call *c,
		      const struct entry *e)
{
	uint32_t words[3] = { 0, 0, 0 };
	unsigned number = (unsigned)e->arg[0];
	unsigned count = number == SYS_LISTEN ? 2 : 3;
	uint64_t arg[3];

	if (number != SYS_BIND && number != SYS_LISTEN &&
	    number != SYS_CONNECT)
		return false;
	if (!memory_read(t, e->arg[1], words, count * sizeof(words[0])))
		return false;
	for (unsigned i = 0; i < 3; i++)
		arg[i] = words[i];
	return enter_socket(t, c, arg, number == SYS_BIND ? 1U :
			    number == SYS_LISTEN ? 2U : 3U);
}
