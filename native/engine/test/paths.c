// SPDX-License-Identifier: Apache-2.0
/*
 * Random calls on paths, and what came of each, one a line: the same seed gives
 * the same calls. The working directory is the tree; names are its files.
 *   paths SEED COUNT [below]	below: with the tree as its root
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* "T" stands for the absolute path of the tree. */
static const char *const names[] = {
	"app", "app/file", "app/dir", "app/dir/deep", "app/link", "app/up",
	"app/abs", "app/gone", "app/new", "app/dir/new", "app/loop", "app/to-ro",
	"app/dir/..", "app/../app/file", "app/../plain", "app/file/x", "app/",
	"app/file/", "app/dir/", "app/new/", "app/.", "app/no/name",
	"ro", "ro/file", "ro/dir", "ro/dir/deep", "ro/link", "ro/new", "ro/no/name",
	"ro/../app/dir", "ro/up/app/file", "ro/dir/new",
	"one", "plain", "dir", "dir/x", "into", "into/file", "into/dir/deep",
	"into-file", "new", "T/app/file", "T/app/dir/deep", "T/app", "T/into/file",
	"T/ro/file", "T/plain", "T/dir/../app/link", "T//app//file", "T/one",
	"./app/file", "dir/../app/dir", "dir/inner/file", "dir/inner/new", "",
};

static char tree[4096];
static unsigned long state;

static unsigned int random_below(unsigned int n)
{
	state = state * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned int)(state >> 33) % n;
}

static const char *name(char *to)
{
	const char *s = names[random_below(sizeof(names) / sizeof(names[0]))];

	if (s[0] == 'T')
		snprintf(to, 8192, "%s%s", tree, s + 1);
	else
		snprintf(to, 8192, "%s", s);
	return to;
}

static const char *shown(const char *path)
{
	size_t n = strlen(tree);

	return strncmp(path, tree, n) == 0 ? path + n : path;
}

static void told(long result)
{
	if (result < 0)
		printf(" %s\n", strerrorname_np(errno));
	else
		printf(" %ld\n", result);
}

static void content(int fd)
{
	char text[64];
	long n;

	if (fd < 0) {
		told(-1);
		return;
	}
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0) {
		told(-1);
	} else {
		text[n] = 0;
		printf(" \"%.*s\"\n", (int)strcspn(text, "\n"), text);
	}
	close(fd);
}

static void status(int result, const struct stat *st)
{
	if (result < 0)
		told(-1);
	else
		printf(" %o %ld\n", st->st_mode,
		       S_ISDIR(st->st_mode) ? 0 : (long)st->st_size);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
	char *found[100];
	struct dirent *e;
	DIR *d = opendir(path);
	int n = 0;

	if (!d) {
		told(-1);
		return;
	}
	while (n < 100 && (e = readdir(d)))
		found[n++] = strdup(e->d_name);
	closedir(d);
	qsort(found, (size_t)n, sizeof(found[0]), compare);
	for (int i = 0; i < n; i++) {
		printf(" %s", found[i]);
		free(found[i]);
	}
	printf("\n");
}

static void visit(const char *path)
{
	char at[8192];
	struct stat st;

	if (chdir(path) < 0) {
		told(-1);
		return;
	}
	printf(" %s", getcwd(at, sizeof(at)) ? shown(at) : "?");
	printf(" %d", stat("file", &st));
	printf(" %d", stat("../plain", &st));
	printf(" %d\n", access("dir/deep", R_OK));
	if (chdir(tree) < 0)
		exit(3);
}

static void from_directory(const char *directory, const char *path)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY), other;
	char link[64], text[8192];
	struct stat st;
	long n;

	if (fd < 0) {
		told(-1);
		return;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	printf(" %s", shown(text));
	printf(" %d", fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW));
	printf(" %d", faccessat(fd, "file", R_OK, 0));
	printf(" %d", fstatat(fd, "", &st, AT_EMPTY_PATH));
	other = openat(fd, "..", O_RDONLY);
	printf(" %d", fstatat(other, "plain", &st, 0));
	close(other);
	close(fd);
	printf("\n");
}

static void link_text(const char *path)
{
	char text[8192];
	long n = readlink(path, text, sizeof(text) - 1);

	if (n < 0) {
		told(-1);
		return;
	}
	text[n] = 0;
	printf(" %s\n", shown(text));
}

static void make_file(const char *path, int flags)
{
	int fd = open(path, flags, 0640);

	if (fd < 0) {
		told(-1);
		return;
	}
	told(flags & 3 ? write(fd, "written\n", 8) : 0);
	close(fd);
}

static void attribute(const char *path)
{
	char text[8192];
	struct stat st;
	long n = lgetxattr(path, "user.t", text, sizeof(text));

	if (n < 0 || lstat(path, &st) < 0)
		told(-1);
	else
		printf(" %.*s %u:%u\n", (int)n, text, st.st_uid, st.st_gid);
}

/* A file without a name in @directory that gets the name @path. */
static void unnamed(const char *directory, const char *path)
{
	int fd = open(directory, O_RDWR | O_TMPFILE, 0640);
	char link[64];

	printf(" %s", shown(path));
	if (fd < 0) {
		told(-1);
		return;
	}
	if (write(fd, "unnamed\n", 8) != 8)
		exit(3);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	told(linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
	close(fd);
}

/* What changes a file that is open for reading only. */
static void by_descriptor(const char *path)
{
	struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };
	int fd = open(path, O_RDONLY), other;
	char link[64];
	struct stat st;

	if (fd < 0) {
		told(-1);
		return;
	}
	printf(" %d", fchmod(fd, 0700 + random_below(8)));
	printf(" %d", futimens(fd, times));
	printf(" %d", fsetxattr(fd, "user.t", "fd", 2, 0));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	other = open(link, O_WRONLY | O_APPEND);
	if (other >= 0 && write(other, "by fd\n", 6) != 6)
		exit(3);
	printf(" %s", other < 0 ? strerrorname_np(errno) : "written");
	close(other);
	close(fd);
	status(stat(path, &st), &st);
}

static void one_call(void)
{
	static const int ways[] = { O_RDONLY, O_WRONLY, O_RDWR | O_CREAT,
		O_WRONLY | O_CREAT | O_TRUNC, O_WRONLY | O_CREAT | O_EXCL,
		O_RDONLY | O_NOFOLLOW, O_RDONLY | O_CREAT, O_RDONLY | O_TRUNC,
		O_RDONLY | O_DIRECTORY, O_WRONLY | O_APPEND, O_PATH,
		O_PATH | O_NOFOLLOW, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
		O_RDONLY | O_CREAT | O_DIRECTORY,
		O_WRONLY | O_CREAT | O_EXCL | O_DIRECTORY,
		O_PATH | O_CREAT | O_DIRECTORY };
	char a[8192], b[8192];
	struct statx sx;
	struct stat st;
	unsigned int which = random_below(38), way;

	name(a);
	name(b);
	printf("%u %s", which, shown(a));
	switch (which) {
	case 0: case 1: content(open(a, O_RDONLY)); break;
	case 2: case 3:
		way = random_below(sizeof(ways) / sizeof(ways[0]));
		printf(" %o", ways[way]);
		make_file(a, ways[way]);
		break;
	case 4: case 5: status(stat(a, &st), &st); break;
	case 6: case 7: status(lstat(a, &st), &st); break;
	case 8: told(access(a, (int)random_below(8))); break;
	case 9: told(mkdir(a, 0755)); break;
	case 10: told(rmdir(a)); break;
	case 11: told(unlink(a)); break;
	case 12: case 13: printf(" %s", shown(b)); told(rename(a, b)); break;
	case 14: printf(" %s", shown(b)); told(link(a, b)); break;
	case 15: printf(" %s", shown(b)); told(symlink(a, b)); break;
	case 16: case 17: link_text(a); break;
	case 18: told(chmod(a, 0600 + random_below(8) * 8)); break;
	case 19: told(truncate(a, 3)); break;
	case 20: case 21: visit(a); break;
	case 22: case 23: list(a); break;
	case 24: printf(" %s", shown(b)); from_directory(a, b); break;
	case 25: told(unlinkat(AT_FDCWD, a, AT_REMOVEDIR)); break;
	case 26: told(utimensat(AT_FDCWD, a, NULL, AT_SYMLINK_NOFOLLOW)); break;
	case 27: told(syscall(SYS_statx, AT_FDCWD, a, 0, STATX_MODE, &sx)); break;
	case 28: told(mknod(a, S_IFREG | 0644, 0)); break;
	case 29: case 30:
		way = 1 + random_below(2);
		printf(" %s %u", shown(b), way);
		told(syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, way));
		break;
	case 31: told(lsetxattr(a, "user.t", b, strlen(b), 0)); break;
	case 32: attribute(a); break;
	case 33: told(lchown(a, random_below(3), random_below(3))); break;
	case 34: unnamed(a, b); break;
	case 35: case 36: by_descriptor(a); break;
	default: printf(" %s", shown(b)); told(linkat(AT_FDCWD, a, AT_FDCWD, b, AT_SYMLINK_FOLLOW)); break;
	}
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[2]) : 100;

	state = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	umask(022);
	if (argc > 3 && strcmp(argv[3], "below") == 0 && chroot(".") < 0)
		return 3;
	if (!getcwd(tree, sizeof(tree)))
		return 3;
	for (int i = 0; i < count; i++) {
		printf("%d: ", i);
		one_call();
	}
	return 0;
}
