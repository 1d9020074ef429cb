// SPDX-License-Identifier: Apache-2.0
/*
 * Element: users. Who a thread is stands in its block, goes to children as
 * memory does, and over execve() as a word. What others shall see of a process,
 * its effective ids, stands in a page that all of the instance map: a place for
 * each process, found by its number. Two with the same remainder take each
 * other's place: of who is not found there, its ids are not known.
 */
#include "engine.h"
#include "gate.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define PLACES 4096

struct place {
	uint32_t pid, uid, gid, spare;
};

uint32_t users_real_uid, users_real_gid;
struct before users_before;
static struct place *places;

bool users_on(void)
{
	return places != NULL;
}

struct ids *users_self(void)
{
	return &thread_self()->ids;
}

bool users_may(unsigned int cap)
{
	return ids_may(users_self(), cap);
}

/* A reader that meets a half of it sees another number, and believes nothing. */
static void tell(long pid, const struct ids *i)
{
	struct place *p = &places[(unsigned long)pid % PLACES];

	__atomic_store_n(&p->pid, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&p->uid, i->uid[ID_EFFECTIVE], __ATOMIC_RELEASE);
	__atomic_store_n(&p->gid, i->gid[ID_EFFECTIVE], __ATOMIC_RELEASE);
	__atomic_store_n(&p->pid, (uint32_t)pid, __ATOMIC_RELEASE);
}

bool users_of(long pid, uint32_t *uid, uint32_t *gid)
{
	const struct place *p = &places[(unsigned long)pid % PLACES];
	uint32_t before = __atomic_load_n(&p->pid, __ATOMIC_ACQUIRE);

	*uid = __atomic_load_n(&p->uid, __ATOMIC_ACQUIRE);
	*gid = __atomic_load_n(&p->gid, __ATOMIC_ACQUIRE);
	return pid > 0 && before == (uint32_t)pid &&
	       __atomic_load_n(&p->pid, __ATOMIC_ACQUIRE) == before;
}

void users_changed(void)
{
	if (users_on())
		tell(SYS(__NR_getpid), users_self());
}

void users_child(struct thread *child, const struct thread *parent)
{
	if (users_on())
		child->ids = parent->ids;
}

static bool map(const char *page)
{
	long fd = SYS(__NR_openat, AT_FDCWD, page, O_RDWR | O_CLOEXEC), at;
	struct file_status st;
	bool whole;

	if (fd < 0)
		return false;
	whole = SYS(__NR_fstat, fd, &st) == 0 &&
		st.size == (int64_t)(PLACES * sizeof(struct place));
	at = whole ? SYS(__NR_mmap, 0, PLACES * sizeof(struct place),
			 PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : -EINVAL;
	SYS(__NR_close, fd);
	if (IS_ERROR(at))
		return false;
	places = (struct place *)at;
	return true;
}

bool users_start(const char *page, const char *ids)
{
	struct ids *own = users_self();

	users_real_uid = (uint32_t)SYS(__NR_geteuid);
	users_real_gid = (uint32_t)SYS(__NR_getegid);
	ids_root(own);
	if ((ids && !ids_read(own, ids)) || !map(page))
		return false;
	users_changed();
	return true;
}

void users_program(struct becomes *b, long fd)
{
	struct file_status st;
	struct owner o;

	b->mode = 0;
	if (!users_on() || SYS(__NR_fstat, fd, &st) < 0 || !owner_is_kept(&st))
		return;
	owner_shown(&o, &st, fd);
	*b = (struct becomes){ o.mode, o.uid, o.gid };
}

void users_pass(char *to, const struct becomes *b)
{
	struct ids next;

	to[0] = 0;
	if (!users_on())
		return;
	next = *users_self();
	ids_execute(&next, b->mode, b->uid, b->gid);
	text_copy(to, USERS_WORD, USERS_OPTION);
	ids_write(to + strlen(to), &next);
}

void users_add(void)
{
	if (!users_on())
		return;
	owner_add();
	users_calls_add();
	users_status_add();
	users_change_add();
	users_make_add();
	users_peers_add();
	users_proc_add();
}
