// SPDX-License-Identifier: Apache-2.0
/*
 * Element: removed kernel ABI. sysctl(2), which Linux 5.5 took away, by the files
 * of /proc/sys: what kernel/sysctl_binary.c of Linux 5.4 did, for the numbers
 * that programs are known to ask for. Old C libraries ask for the release by it,
 * and for the number of processes.
 */
#include <stddef.h>
#include <linux/sysctl.h>

#include "dispatch.h"
#include "gate.h"
#include "kernel-views.h"
#include "sys.h"
#include "text.h"

#define NAMES_MAX 4
#define NUMBERS_MAX 32	/* of one file */
#define DIGITS 21

enum kind { TEXT, INTS, LONGS };

struct request {
	unsigned long names;
	int count;
	unsigned long old, old_size, new, new_size, unused[4];
};

struct entry {
	int names[NAMES_MAX];
	enum kind kind;
	const char *path;
};

#define ENTRY(kind, path, ...) { { __VA_ARGS__ }, kind, "/proc/sys/" path }
#define IPV4 CTL_NET, NET_IPV4

static const struct entry entries[] = {
	ENTRY(TEXT, "kernel/ostype", CTL_KERN, KERN_OSTYPE),
	ENTRY(TEXT, "kernel/osrelease", CTL_KERN, KERN_OSRELEASE),
	ENTRY(TEXT, "kernel/version", CTL_KERN, KERN_VERSION),
	ENTRY(TEXT, "kernel/hostname", CTL_KERN, KERN_NODENAME),
	ENTRY(TEXT, "kernel/domainname", CTL_KERN, KERN_DOMAINNAME),
	ENTRY(INTS, "kernel/panic", CTL_KERN, KERN_PANIC),
	ENTRY(INTS, "kernel/ctrl-alt-del", CTL_KERN, KERN_CTLALTDEL),
	ENTRY(INTS, "kernel/printk", CTL_KERN, KERN_PRINTK),
	ENTRY(TEXT, "kernel/modprobe", CTL_KERN, KERN_MODPROBE),
	ENTRY(LONGS, "kernel/shmmax", CTL_KERN, KERN_SHMMAX),
	ENTRY(LONGS, "kernel/shmall", CTL_KERN, KERN_SHMALL),
	ENTRY(INTS, "kernel/shmmni", CTL_KERN, KERN_SHMMNI),
	ENTRY(INTS, "kernel/msgmax", CTL_KERN, KERN_MSGMAX),
	ENTRY(INTS, "kernel/msgmnb", CTL_KERN, KERN_MSGMNB),
	ENTRY(INTS, "kernel/msgmni", CTL_KERN, KERN_MSGMNI),
	ENTRY(INTS, "kernel/sem", CTL_KERN, KERN_SEM),
	ENTRY(INTS, "kernel/sysrq", CTL_KERN, KERN_SYSRQ),
	ENTRY(INTS, "kernel/threads-max", CTL_KERN, KERN_MAX_THREADS),
	ENTRY(INTS, "kernel/random/poolsize", CTL_KERN, KERN_RANDOM,
	      RANDOM_POOLSIZE),
	ENTRY(INTS, "kernel/random/entropy_avail", CTL_KERN, KERN_RANDOM,
	      RANDOM_ENTROPY_COUNT),
	ENTRY(INTS, "kernel/overflowuid", CTL_KERN, KERN_OVERFLOWUID),
	ENTRY(INTS, "kernel/overflowgid", CTL_KERN, KERN_OVERFLOWGID),
	ENTRY(INTS, "kernel/core_uses_pid", CTL_KERN, KERN_CORE_USES_PID),
	ENTRY(TEXT, "kernel/core_pattern", CTL_KERN, KERN_CORE_PATTERN),
	ENTRY(INTS, "kernel/tainted", CTL_KERN, KERN_TAINTED),
	ENTRY(INTS, "kernel/cad_pid", CTL_KERN, KERN_CADPID),
	ENTRY(INTS, "kernel/pid_max", CTL_KERN, KERN_PIDMAX),
	ENTRY(INTS, "kernel/panic_on_oops", CTL_KERN, KERN_PANIC_ON_OOPS),
	ENTRY(INTS, "kernel/ngroups_max", CTL_KERN, KERN_NGROUPS_MAX),
	ENTRY(INTS, "kernel/randomize_va_space", CTL_KERN, KERN_RANDOMIZE),
	ENTRY(INTS, "vm/overcommit_memory", CTL_VM, VM_OVERCOMMIT_MEMORY),
	ENTRY(INTS, "vm/overcommit_ratio", CTL_VM, VM_OVERCOMMIT_RATIO),
	ENTRY(INTS, "vm/page-cluster", CTL_VM, VM_PAGE_CLUSTER),
	ENTRY(INTS, "vm/dirty_background_ratio", CTL_VM, VM_DIRTY_BACKGROUND),
	ENTRY(INTS, "vm/dirty_ratio", CTL_VM, VM_DIRTY_RATIO),
	ENTRY(LONGS, "vm/nr_hugepages", CTL_VM, VM_HUGETLB_PAGES),
	ENTRY(INTS, "vm/swappiness", CTL_VM, VM_SWAPPINESS),
	ENTRY(INTS, "vm/min_free_kbytes", CTL_VM, VM_MIN_FREE_KBYTES),
	ENTRY(INTS, "vm/max_map_count", CTL_VM, VM_MAX_MAP_COUNT),
	ENTRY(INTS, "fs/inode-nr", CTL_FS, FS_NRINODE),
	ENTRY(INTS, "fs/inode-state", CTL_FS, FS_STATINODE),
	ENTRY(LONGS, "fs/file-nr", CTL_FS, FS_NRFILE),
	ENTRY(LONGS, "fs/file-max", CTL_FS, FS_MAXFILE),
	ENTRY(INTS, "fs/dentry-state", CTL_FS, FS_DENTRY),
	ENTRY(INTS, "fs/overflowuid", CTL_FS, FS_OVERFLOWUID),
	ENTRY(INTS, "fs/overflowgid", CTL_FS, FS_OVERFLOWGID),
	ENTRY(INTS, "net/core/somaxconn", CTL_NET, NET_CORE, NET_CORE_SOMAXCONN),
	ENTRY(INTS, "net/ipv4/ip_forward", IPV4, NET_IPV4_FORWARD),
	ENTRY(INTS, "net/ipv4/ip_local_port_range", IPV4,
	      NET_IPV4_LOCAL_PORT_RANGE),
};

static const struct entry *find(const int *names, int count)
{
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		const struct entry *e = &entries[i];

		if (count <= NAMES_MAX &&
		    memcmp(e->names, names, (size_t)count * 4) == 0 &&
		    (count == NAMES_MAX || e->names[count] == 0))
			return e;
	}
	return NULL;
}

static long read_file(char *text, const char *path)
{
	long n = (long)view_text(text, path), fd;

	if (n > 0)
		return n;
	fd = SYS(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	n = SYS(__NR_read, fd, text, VIEW_SIZE - 1);
	SYS(__NR_close, fd);
	return n;
}

/* Some take all of 64 bits; the kernel drops what is more as well. */
static bool read_number(const char *text, uint64_t *value)
{
	bool negative = *text == '-';

	text += negative;
	*value = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		*value = *value * 10 + (uint64_t)(*text - '0');
	if (negative)
		*value = -*value;
	return !*text;
}

/* Numbers as words of @width bytes: how many bytes were given. */
static long give_numbers(char *text, unsigned long to, size_t size,
			 size_t width)
{
	size_t given = 0;

	for (char *at = text; *at && given + width <= size;) {
		char *end = at;
		uint64_t value;

		while (*end && *end != ' ' && *end != '\t' && *end != '\n')
			end++;
		if (*end)
			*end++ = 0;
		if (*at && !read_number(at, &value))
			break;
		if (*at && copy_bytes((char *)to + given, &value, width) < 0)
			return -EFAULT;
		given += *at ? width : 0;
		at = end;
	}
	return (long)given;
}

static long give(const struct entry *e, unsigned long to, size_t size)
{
	char text[VIEW_SIZE];
	long n = read_file(text, e->path);

	if (n < 0)
		return n;
	text[n] = 0;
	if (e->kind != TEXT)
		return give_numbers(text, to, size, e->kind == INTS ? 4 : 8);
	if ((size_t)n > size)
		n = (long)size;
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = 0;
	if (copy_bytes((void *)to, text, (size_t)n) < 0)
		return -EFAULT;
	return n > 0 && !text[n - 1] ? n - 1 : n;
}

/* What is to be written there: its length or -errno. */
static long take(const struct entry *e, char *text, const struct request *q)
{
	size_t width = e->kind == INTS ? 4 : 8, used = 0;

	if (e->kind == TEXT) {
		used = q->new_size < VIEW_SIZE ? q->new_size : VIEW_SIZE - 1;
		return copy_bytes(text, (void *)q->new, used) < 0 ? -EFAULT
								  : (long)used;
	}
	for (size_t at = 0; at + width <= q->new_size &&
	     used + DIGITS + 1 < VIEW_SIZE; at += width) {
		int64_t value = 0;

		if (copy_bytes(&value, (char *)q->new + at, width) < 0)
			return -EFAULT;
		if (width == 4)
			value = (int32_t)value;
		used += text_decimal(text + used, value);
		text[used++] = '\t';
	}
	return (long)used;
}

static long write_file(const struct entry *e, const struct request *q)
{
	char text[VIEW_SIZE];
	long fd = SYS(__NR_openat, AT_FDCWD, e->path, O_WRONLY | O_CLOEXEC), n;

	if (fd < 0)
		return fd;
	n = take(e, text, q);
	if (n >= 0)
		n = SYS(__NR_write, fd, text, n);
	SYS(__NR_close, fd);
	return n < 0 ? n : 0;
}

static long answer(const struct request *q, size_t *size)
{
	int names[CTL_MAXNAME];
	const struct entry *e;
	long result = 0;

	if (q->count < 0 || q->count > CTL_MAXNAME)
		return -ENOTDIR;
	if (copy_bytes(names, (void *)q->names, (size_t)q->count * 4) < 0)
		return -EFAULT;
	e = find(names, q->count);
	if (!e || q->count == 0)
		return -ENOTDIR;
	if (q->old && *size)
		result = give(e, q->old, *size);
	if (result >= 0) {
		*size = (size_t)result;
		result = q->new && q->new_size ? write_file(e, q) : 0;
	}
	return result;
}

static long call_sysctl(struct record *r)
{
	struct request q;
	size_t size = 0;
	long result;

	if (copy_bytes(&q, (void *)r->rdi, sizeof(q)) < 0)
		return -EFAULT;
	if ((q.old && !q.old_size) ||
	    (q.old_size && copy_bytes(&size, (void *)q.old_size,
				      sizeof(size)) < 0))
		return -EFAULT;
	result = answer(&q, &size);
	if (result >= 0 && q.old_size &&
	    copy_bytes((void *)q.old_size, &size, sizeof(size)) < 0)
		return -EFAULT;
	return result;
}

void sysctl_add(void)
{
	dispatch_add(__NR__sysctl, call_sysctl);
}
