// SPDX-License-Identifier: Apache-2.0
/*
 * What was found is remembered. The count of changes lies in a page that all
 * processes of the instance share; while the lock is held it is odd, and it
 * stays so where its holder was killed: then nothing is remembered until the
 * next change is complete.
 */
#include "kept.h"
#include "layers.h"
#include "text.h"

#define LOCK_EX 2
#define KNOWN 256
#define KNOWN_TEXT 240

static struct memory {
	unsigned long changes;	/* when it was asked; 0 = it is being written */
	uint64_t rule;	/* rule_key() */
	char location[KNOWN_TEXT], real[KNOWN_TEXT];
} memories[KNOWN] LARGE;

/* Of one table: another has other rules. */
static uint64_t rule_key(uint32_t rule)
{
	return (uint64_t)thread_self()->rules->changes << 32 | rule;
}

/* Never 0 or 1. */
static unsigned long count_changes(void)
{
	return __atomic_load_n(files.changes, __ATOMIC_ACQUIRE) + 2;
}

static struct memory *known_place(const char *location)
{
	uint64_t h = 14695981039346656037ULL;

	while (*location)
		h = (h ^ (unsigned char)*location++) * 1099511628211ULL;
	return &memories[(h ^ h >> 32) % KNOWN];
}

bool layers_known(char *real, uint32_t rule, const char *location)
{
	struct memory *k = known_place(location);
	unsigned long at = __atomic_load_n(&k->changes, __ATOMIC_ACQUIRE);

	if (at == 0 || at & 1 || at != count_changes() || k->rule != rule_key(rule) ||
	    strcmp(k->location, location) != 0)
		return false;
	text_copy(real, KNOWN_TEXT, k->real);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&k->changes, __ATOMIC_RELAXED) == at;
}

static void learn(uint32_t rule, const char *location, const char *real,
		  unsigned long changes)
{
	struct memory *k = known_place(location);
	unsigned long was = __atomic_load_n(&k->changes, __ATOMIC_RELAXED);

	/* 1 = another thread writes it, and the value is never equal again. */
	if (changes & 1 || strlen(location) >= KNOWN_TEXT ||
	    strlen(real) >= KNOWN_TEXT || was == 1 ||
	    !__atomic_compare_exchange_n(&k->changes, &was, 1, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	k->rule = rule_key(rule);
	text_copy(k->location, KNOWN_TEXT, location);
	text_copy(k->real, KNOWN_TEXT, real);
	__atomic_store_n(&k->changes, changes, __ATOMIC_RELEASE);
}

bool layers_seen(char *real, uint32_t rule, const char *location)
{
	unsigned long changes;
	struct layered l;

	/* The host is changed by others, and there is no count. */
	if (layers_merged(rule))
		return layers_find(&l, rule, location) == 0 &&
		       text_copy(real, PATH_SIZE, l.real);
	changes = count_changes();
	if (layers_known(real, rule, location))
		return true;
	if (layers_find(&l, rule, location) < 0)
		return false;
	/* What is not there may be made below by others than us. */
	if (l.where != LAYER_NONE)
		learn(rule, location, l.real, changes);
	return text_copy(real, PATH_SIZE, l.real);
}

long layers_start(void)
{
	char path[PATH_SIZE];
	struct file_status st;
	long fd, at;

	if (!text_join(path, PATH_SIZE, files.copies, "/changes"))
		return -ENAMETOOLONG;
	fd = SYS(__NR_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC,
		 0666);
	if (fd < 0)
		return fd;
	at = SYS(__NR_fstat, fd, &st);
	if (at == 0 && st.size < (int64_t)PAGE) {
		/* Whatever the mask of who came first: every user counts. */
		SYS(__NR_fchmod, fd, 0666);
		at = SYS(__NR_ftruncate, fd, PAGE);
	}
	if (at == 0)
		at = SYS(__NR_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);
	SYS(__NR_close, fd);
	if (IS_ERROR(at))
		return at;
	files.changes = (unsigned long *)at;
	return 0;
}

/* The directory itself is the lock: nothing has to be made, and every user who
 * can read it can take it. */
long layers_lock(void)
{
	long fd = SYS(__NR_openat, AT_FDCWD, files.copies,
		      O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	while (SYS(__NR_flock, fd, LOCK_EX) == -EINTR)
		;
	__atomic_store_n(files.changes, count_changes() | 1, __ATOMIC_SEQ_CST);
	return fd;
}

void layers_unlock(long lock)
{
	__atomic_add_fetch(files.changes, 1, __ATOMIC_SEQ_CST);
	SYS(__NR_close, lock);
}
