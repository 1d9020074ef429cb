// SPDX-License-Identifier: Apache-2.0
/*
 * users SEED COUNT [STATE]: random calls about users, groups, capabilities and
 * owners, with what each says. As root of the kernel and by the engine's view it
 * has to print the same. It executes itself now and then, also set-id.
 *
 * Only names in this directory, which everybody may change, are used: what the
 * view does not do, to keep one user from another's files, is not asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long long state;
static const char *self;

static unsigned int pick(unsigned int n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(state >> 33) % n;
}

static unsigned int id(void)
{
	static const unsigned int ids[] = { 0, 0, 1, 33, 33, 1000, 70000, -1U,
					    -2U };

	return ids[pick(sizeof(ids) / sizeof(ids[0]))];
}

static void said(const char *what, long result)
{
	printf("%s %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
}

static void who(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	unsigned int r, e, s, groups[64], n;

	syscall(SYS_getresuid, &r, &e, &s);
	printf("  uid %u %u %u %ld %ld", r, e, s, syscall(SYS_getuid),
	       syscall(SYS_geteuid));
	syscall(SYS_getresgid, &r, &e, &s);
	printf(" gid %u %u %u %ld %ld", r, e, s, syscall(SYS_getgid),
	       syscall(SYS_getegid));
	printf(" fs %u %u groups", (unsigned int)syscall(SYS_setfsuid, -1),
	       (unsigned int)syscall(SYS_setfsgid, -1));
	n = (unsigned int)syscall(SYS_getgroups, 64, groups);
	for (unsigned int i = 0; i < n && i < 64; i++)
		printf(" %u", groups[i]);
	memset(data, 0, sizeof(data));
	syscall(SYS_capget, &head, data);
	printf(" caps %x:%x %x:%x %x:%x bits %x keep %d\n", data[1].effective,
	       data[0].effective, data[1].permitted, data[0].permitted,
	       data[1].inheritable, data[0].inheritable,
	       prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS));
}

/* From 6.16 on execve() compares the effective ids of before and after to see
 * whether rights changed; the view does as that. */
static int is_new_kernel(void)
{
	struct utsname names;

	uname(&names);
	return strverscmp(names.release, "6.16") >= 0;
}

static void status(void)
{
	static const unsigned long told[] = { AT_UID, AT_EUID, AT_GID, AT_EGID,
					      AT_SECURE };
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "Uid", 3) || !strncmp(line, "Gid", 3) ||
		    !strncmp(line, "Groups", 6) || !strncmp(line, "Cap", 3))
			printf("  %s", line);
	if (f)
		fclose(f);
	for (unsigned int i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (told[i] != AT_SECURE || is_new_kernel())
			printf("  auxv %lu\n", getauxval(told[i]));
}

static void set_ids(void)
{
	unsigned int groups[8], n = pick(9);

	switch (pick(10)) {
	case 0: said("setuid", syscall(SYS_setuid, id())); break;
	case 1: said("setgid", syscall(SYS_setgid, id())); break;
	case 2: said("setreuid", syscall(SYS_setreuid, id(), id())); break;
	case 3: said("setregid", syscall(SYS_setregid, id(), id())); break;
	case 4: said("setresuid", syscall(SYS_setresuid, id(), id(), id())); break;
	case 5: said("setresgid", syscall(SYS_setresgid, id(), id(), id())); break;
	case 6: said("setfsuid", syscall(SYS_setfsuid, id())); break;
	case 7: said("setfsgid", syscall(SYS_setfsgid, id())); break;
	case 8:
		for (unsigned int i = 0; i < n && i < 8; i++)
			groups[i] = id();
		said("setgroups", syscall(SYS_setgroups, n < 8 ? n : 0, groups));
		break;
	default:
		said("getgroups", syscall(SYS_getgroups, (int)pick(4) - 1, groups));
	}
	who();
}

static void set_caps(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };
	static const unsigned int versions[] = { _LINUX_CAPABILITY_VERSION_3,
		_LINUX_CAPABILITY_VERSION_2, _LINUX_CAPABILITY_VERSION_1, 7 };

	switch (pick(9)) {
	case 0:
		syscall(SYS_capget, &head, data);
		for (unsigned int i = 0; i < 2; i++) {
			if (pick(2))
				data[i].effective &= ~(1U << pick(32));
			if (pick(3) == 0)
				data[i].permitted &= ~(1U << pick(32));
			if (pick(2))
				data[i].inheritable ^= 1U << pick(10);
		}
		said("capset", syscall(SYS_capset, &head, data));
		break;
	case 1:
		syscall(SYS_capget, &head, data);
		data[0].effective = data[0].permitted;
		data[1].effective = data[1].permitted;
		said("raise", syscall(SYS_capset, &head, data));
		break;
	case 2:
		head.version = versions[pick(4)];
		said("capget", syscall(SYS_capget, &head, pick(3) ? data : NULL));
		printf("  %x\n", head.version);
		break;
	case 3: said("keepcaps", prctl(PR_SET_KEEPCAPS, pick(3), 0, 0, 0)); break;
	case 4: said("bound?", prctl(PR_CAPBSET_READ, pick(70), 0, 0, 0)); break;
	case 5:
		if (pick(4) == 0)
			said("bound", prctl(PR_CAPBSET_DROP, 9 + pick(40), 0, 0, 0));
		break;
	case 6:
		said("ambient", prctl(PR_CAP_AMBIENT, 1 + pick(4), pick(10), 0, 0));
		break;
	case 7:
		said("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
		break;
	default:
		if (pick(6) == 0)
			said("bits", prctl(PR_SET_SECUREBITS, pick(128) & 0xd5, 0, 0, 0));
	}
	who();
}

static const char *name(void)
{
	static char text[8];

	sprintf(text, "n%u", pick(6));
	return text;
}

static mode_t mode(void)
{
	static const mode_t modes[] = { 0644, 0600, 0755, 0400, 0, 04755, 02755,
					06711, 02640, 01777, 0077, 0660 };

	return modes[pick(sizeof(modes) / sizeof(modes[0]))];
}

static void show(const char *path)
{
	struct stat st;
	struct statx x;

	if (lstat(path, &st) < 0) {
		printf("  %s %s\n", path, strerrorname_np(errno));
		return;
	}
	if (S_ISLNK(st.st_mode)) {
		printf("  %s is a link\n", path);
		return;
	}
	printf("  %s %o %u %u", path, st.st_mode, st.st_uid, st.st_gid);
	if (syscall(SYS_statx, AT_FDCWD, path, 0, STATX_UID | STATX_GID | STATX_MODE,
		    &x) == 0)
		printf(" %o %u %u", x.stx_mode, x.stx_uid, x.stx_gid);
	if (fstatat(AT_FDCWD, path, &st, 0) == 0)
		printf(" %o %u %u\n", st.st_mode, st.st_uid, st.st_gid);
}

static int is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void make(void)
{
	const char *path = name();
	int fd = -1, flags = O_CREAT | O_WRONLY;

	umask(pick(3) == 0 ? 077 : pick(2) ? 022 : 0);
	switch (pick(7)) {
	case 0: said("mkdir", mkdir(path, mode())); break;
	case 1: said("mkdirat", mkdirat(AT_FDCWD, path, mode())); break;
	case 2: said("mknod", mknod(path, S_IFREG | mode(), 0)); break;
	case 3: said("symlink", symlink("n0", path)); break;
	default:
		/* Opening what is there is not for everybody. */
		if (is_there(path) || pick(2))
			flags |= O_EXCL;
		fd = pick(3) ? open(path, flags, mode())
			     : (int)syscall(SYS_creat, "c", mode());
		said("open", fd < 0 ? fd : 0);
		if (fd >= 0) {
			struct stat st;

			fstat(fd, &st);
			printf("  %o %u %u\n", st.st_mode, st.st_uid, st.st_gid);
			close(fd);
			unlink("c");
		}
	}
	show(path);
}

static void change(void)
{
	const char *path = name();
	int fd;

	switch (pick(9)) {
	case 0: said("chown", chown(path, id(), id())); break;
	case 1:
		if (is_there("n5"))
			break;
		said("lchown", lchown("n5", id(), id()));
		break;
	case 2: said("fchownat", fchownat(AT_FDCWD, path, id(), id(), 0)); break;
	case 3: said("chmod", chmod(path, mode())); break;
	case 4: said("fchmodat", fchmodat(AT_FDCWD, path, mode(), 0)); break;
	case 5:
		said("remove", remove(path));
		break;
	default:
		fd = open(path, O_PATH | O_CLOEXEC);
		if (fd < 0)
			break;
		said("fchown", fchown(fd, 0, 0));
		said("fchmod", fchmod(fd, 0));
		said("empty", fchownat(fd, "", id(), id(), AT_EMPTY_PATH));
		close(fd);
	}
	show(path);
}

static void execute(unsigned int left)
{
	char seed[32], count[16];

	if (!is_new_kernel() && (getuid() != geteuid() || getgid() != getegid()))
		return;
	sprintf(seed, "%llu", state);
	sprintf(count, "%u", left);
	fflush(stdout);
	execl(self, self, seed, count, "again", NULL);
	printf("execl %s\n", strerrorname_np(errno));
}

/* A copy of this program that is another one's, and set-id. */
static void give_program(void)
{
	static const mode_t modes[] = { 0755, 04755, 02755, 06755, 02711 };

	said("program", chown(self, id(), id()) || chmod(self, modes[pick(5)]));
	show(self);
}

static void descend(void)
{
	pid_t child;
	int ended;

	fflush(stdout);
	child = pick(2) ? fork() : vfork();
	if (child == 0) {
		long result = syscall(SYS_setresuid, -1, 33, -1);

		_exit(result < 0 ? errno : (int)syscall(SYS_geteuid));
	}
	waitpid(child, &ended, 0);
	printf("child %d\n", WEXITSTATUS(ended));
	who();
}

int main(int argc, char **argv)
{
	unsigned int count = (unsigned int)atoi(argv[2]);

	self = argv[0];
	state = strtoull(argv[1], NULL, 10);
	if (argc < 4)
		umask(0);
	who();
	status();
	while (count-- > 0) {
		unsigned int what = pick(20);

		if (what < 7)
			set_ids();
		else if (what < 10)
			set_caps();
		else if (what < 13)
			make();
		else if (what < 17)
			change();
		else if (what == 17)
			descend();
		else if (what == 18)
			give_program();
		else if (pick(3) == 0)
			execute(count);
	}
	return 0;
}
