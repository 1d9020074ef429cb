// SPDX-License-Identifier: Apache-2.0
/*
 * execve(): the kernel starts the engine anew, which loads the program. What
 * execve() would refuse is refused before (exec-check.c), as the engine's start
 * cannot fail into the caller any more.
 */
#include "dispatch.h"
#include "engine.h"
#include "exe.h"
#include "exec-check.h"
#include "filters.h"
#include "gate.h"
#include "held.h"
#include "known-sites.h"
#include "leave.h"
#include "loopback.h"
#include "options.h"
#include "paths.h"
#include "places.h"
#include "program.h"
#include "root.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define PTRACE_TRACEME 0
#define F_GETFD 1
#define F_SETFD 2
#define FD_CLOEXEC 1
#define FEW_WORDS 128	/* no memory of their own: a limit may leave none */
#define WORDS_OWN 13	/* around the options: the engine, resume, file, end */
#define ROOT_OPTION "--root="

/* What is short comes first, and what is rare last, as in struct program. */
struct start {
	long fd;	/* to be inherited for a moment, or -1 */
	unsigned long argv, envp;
	bool engine;	/* it is the engine itself, with options of its own */
	bool by_descriptor;	/* the file is told as "/dev/fd/N" */
	struct becomes becomes;
	char resume[RESUME_SIZE];
	char close[32];
	char filters[FILTERS_WORD];
	char ids[USERS_WORD];
	char sites[KNOWN_SITES_WORD];
	char file[PATH_SIZE];
	char loopback[LOOPBACK_WORD];
	char root[sizeof(ROOT_OPTION) + PATH_SIZE];
};

static bool is_engine(const char *file)
{
	struct file_status one, other;

	return SYS(__NR_stat, file, &one) == 0 &&
	       SYS(__NR_stat, "/proc/self/exe", &other) == 0 &&
	       one.ino == other.ino && one.dev == other.dev;
}

static long errno_of(long result)
{
	if (result == PROGRAM_I386)
		return -ENOEXEC;
	return result == PROGRAM_SET_ID ? -EPERM : result;
}

/* How many words the program gives, or -errno. */
static long count_words(unsigned long argv)
{
	for (long n = 0; argv; n++) {
		unsigned long word;

		if (copy_bytes(&word, (void *)(argv + (unsigned long)n * 8),
			       8) < 0)
			return -EFAULT;
		if (!word)
			return n;
		if (n > 1 << 24)
			return -E2BIG;
	}
	return 0;
}

static long fill(char **to, struct start *s, long given)
{
	static char none[] = "";
	int64_t flags = (engine.filter_inherited ? RESUME_FILTER : 0) |
			(engine.vsyscall_filter ? RESUME_VSYSCALL : 0) |
			(s->by_descriptor ? RESUME_DESCRIPTOR : 0) |
			(int64_t)places_passed() << RESUME_PLACE;
	struct clock_now now = clock_page_read(engine.clock_page);

	*to++ = (char *)(uintptr_t)engine.path;
	for (unsigned int i = 0; i < engine.option_count; i++)
		*to++ = engine.options[i];
	options_resume(s->resume, &now.clock, flags);
	*to++ = s->resume;
	if (root_changed()) {
		text_join(s->root, sizeof(s->root), ROOT_OPTION, root_location());
		*to++ = s->root;
	}
	loopback_pass(s->loopback);
	if (s->loopback[0])
		*to++ = s->loopback;
	users_pass(s->ids, &s->becomes);
	if (s->ids[0])
		*to++ = s->ids;
	if (s->filters[0])
		*to++ = s->filters;
	if (known_sites_pass(s->sites))
		*to++ = s->sites;
	if (s->fd >= 0) {
		text_copy(s->close, sizeof(s->close), "--close=");
		text_decimal(s->close + 8, s->fd);
		*to++ = s->close;
	}
	/* Its options come behind ours, and win. */
	if (s->engine && given > 0) {
		given--;
		s->argv += 8;
	} else {
		*to++ = (char *)(uintptr_t)"--argv0";
		*to++ = (char *)(uintptr_t)"--";
		*to++ = s->file;
	}
	if (given == 0)
		*to++ = none;
	to[given] = NULL;
	return given == 0 ? 0 : copy_bytes(to, (void *)s->argv,
					   (size_t)given * 8);
}

/*
 * PTRACE_TRACEME in a child of vfork(), as debuggers have it. Each trap is a stop
 * then, and the parent that should go on from it waits for the end of vfork(): so
 * it is made with execve(), behind which the first stop is.
 */
long call_ptrace(struct record *r)
{
	struct thread *t = thread_self();

	if (r->rdi != PTRACE_TRACEME || !t->vfork_child)
		return call_through(r);
	t->trace_me = true;
	return 0;
}

static void trace_if_asked(struct thread *t)
{
	if (t->trace_me)
		SYS(__NR_ptrace, PTRACE_TRACEME);
	t->trace_me = false;
}

static long start_engine(char **words, const struct start *s)
{
	long result = held_execve("/proc/self/exe", (unsigned long)words,
				  s->envp);

	if (result == -ENOENT || result == -EACCES)
		result = held_execve(engine.path, (unsigned long)words,
				     s->envp);
	return result;
}

static char **room_for(struct thread *t, size_t count, char **few)
{
	size_t size = PAGE_UP(count * 8);
	long memory;

	if (count <= FEW_WORDS)
		return few;
	memory = SYS(__NR_mmap, 0, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (IS_ERROR(memory))
		return NULL;
	/* In a child of vfork() it is the parent's memory: it frees it. */
	t->exec_memory = (void *)memory;
	t->exec_size = size;
	return (char **)memory;
}

static long start(struct start *s)
{
	struct thread *t = thread_self();
	long given = count_words(s->argv), result, filters;
	char *few[FEW_WORDS], **words;
	bool script = false;

	if (given < 0)
		return given;
	exe_known(s->file, s->file);
	if (leave_wanted(s->file)) {
		trace_if_asked(t);
		loopback_leave();
		return leave_execute(s->file, s->argv, s->envp, given);
	}
	s->engine = !root_changed() && is_engine(s->file);
	result = s->engine ? 0 : exec_check(s->file, &s->becomes, &script);
	/* Its interpreter would find the descriptor closed. */
	if (result == 0 && script && s->fd >= 0)
		return -ENOENT;
	/* Dispatch ends with execve(); the kernel's own checks count. */
	if (exec_leaves(result)) {
		trace_if_asked(t);
		loopback_leave();
		return held_execve(s->file, s->argv, s->envp);
	}
	if (result < 0)
		return errno_of(result);
	words = room_for(t, (size_t)given + engine.option_count + WORDS_OWN, few);
	if (!words)
		return -ENOMEM;
	filters = filters_pass(s->filters);
	result = filters < -1 ? filters : fill(words, s, given);
	if (result == 0) {
		trace_if_asked(t);
		result = start_engine(words, s);
	}
	loopback_stay();
	if (filters >= 0)
		SYS(__NR_close, filters);
	if (words != few)
		SYS(__NR_munmap, words, t->exec_size);
	t->exec_memory = NULL;
	return result;
}

/* It is large, and in a child that shares its pages with its parent until it
 * writes to them: not cleared. */
static void prepare(struct start *s, unsigned long argv, unsigned long envp)
{
	s->fd = -1;
	s->argv = argv;
	s->envp = envp;
	s->engine = s->by_descriptor = false;
	s->becomes = (struct becomes){ 0 };
}

long call_execve(struct record *r)
{
	struct start s;
	long n;

	prepare(&s, r->rsi, r->rdx);
	n = copy_text(s.file, (const char *)r->rdi, sizeof(s.file));
	return n < 0 ? n : start(&s);
}

static long descriptor_path(char *to, size_t size, long fd, const char *rest)
{
	char number[24];

	text_decimal(number, fd);
	return text_join(to, size, "/proc/self/fd/", number) &&
	       (!*rest || (text_join(to, size, to, "/") &&
			   text_join(to, size, to, rest))) ? 0 : -ENAMETOOLONG;
}

/* AT_SYMLINK_NOFOLLOW: a link is an error, wherever the rules lead to it. */
static long refuse_link(int fd, const char *path)
{
	struct file_status st;
	struct found f;
	long result = path_find(&f, fd, path, LAST_KEEP);

	if (result < 0)
		return result;
	if (!f.native && rule_hides(f.rule))
		return -ENOENT;
	result = SYS(__NR_newfstatat, f.native ? fd : AT_FDCWD,
		     f.native ? path : f.real, &st, AT_SYMLINK_NOFOLLOW);
	if (result < 0)
		return result;
	return (st.mode & S_IFMT) == S_IFLNK ? -ELOOP : 0;
}

long call_execveat(struct record *r)
{
	struct start s;
	char given[PATH_SIZE];
	long n = copy_text(given, (const char *)r->rsi, sizeof(given)), result;
	int fd = (int)r->rdi;

	prepare(&s, r->rdx, r->r10);
	if (n < 0)
		return n;
	if (r->r8 & ~(unsigned long)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	if (!given[0] && !(r->r8 & AT_EMPTY_PATH))
		return -ENOENT;
	if ((r->r8 & AT_SYMLINK_NOFOLLOW) && given[0]) {
		result = refuse_link(fd, given);
		if (result < 0)
			return result;
	}
	if (given[0] == '/' || fd == AT_FDCWD) {
		if (!given[0])
			return -EACCES; /* a directory */
		text_copy(s.file, sizeof(s.file), given);
		return start(&s);
	}
	result = SYS(__NR_fcntl, fd, F_GETFD);
	if (result < 0)
		return result;
	if (descriptor_path(s.file, sizeof(s.file), fd, given) < 0)
		return -ENAMETOOLONG;
	s.by_descriptor = true;
	if (!(result & FD_CLOEXEC))
		return start(&s);
	/* It would be closed before the engine can open what it stands for. */
	s.fd = fd;
	SYS(__NR_fcntl, fd, F_SETFD, 0);
	result = start(&s);
	SYS(__NR_fcntl, fd, F_SETFD, FD_CLOEXEC);
	return result;
}
