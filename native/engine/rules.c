// SPDX-License-Identifier: Apache-2.0
#include "engine.h"
#include "layers.h"
#include "paths.h"
#include "places.h"
#include "rules.h"
#include "sockets.h"
#include "sys.h"
#include "text.h"
#include "vdso.h"

#define AGAIN_NS 100000000LL

struct at_hand at_hand = { .rules_changes = &at_hand.never,
			   .kernel_clock = vdso_none };

static struct rules first;
static const struct rules *newest = &first;
static const char *page_file;
/* What could not be taken, and when it is tried again. */
static uint32_t refused;
static int64_t again;

const struct rules *rules_first(void)
{
	return &first;
}

static void *map(const char *file, long least, long most, int flags,
		 size_t *size)
{
	long fd = SYS(__NR_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0), at;
	struct file_status st;

	if (fd < 0)
		return NULL;
	at = SYS(__NR_fstat, fd, &st) < 0 || st.size < least || st.size > most ?
	     -EINVAL : SYS(__NR_mmap, 0, st.size, PROT_READ, flags, fd, 0);
	SYS(__NR_close, fd);
	if (IS_ERROR(at))
		return NULL;
	*size = (size_t)st.size;
	return (void *)at;
}

/* What this start of the engine lacks for a table, with the place that it is
 * about; NULL = nothing. */
static const char *lacking(const struct policy_table *table, const char **place)
{
	for (uint32_t i = 0; i < table->rule_count; i++) {
		struct rule r = rule_get(table, i);

		*place = r.from;
		if (r.mode == RULE_MERGED && !path_host_allowed(r.from))
			return "the mode merged needs --allow-host";
		if (r.mode == RULE_WRITE_COPY && !files.copies)
			return "the mode write-copy needs --copies, a directory that can be "
			       "written (in a baked image /.tranship/copies)";
	}
	return NULL;
}

static bool host_has_one(const struct policy_table *table)
{
	struct file_status st;

	for (uint32_t i = 0; i < table->rule_count; i++) {
		struct rule r = rule_get(table, i);

		if (r.mode != RULE_HOST &&
		    SYS(__NR_newfstatat, AT_FDCWD, r.from, &st,
			AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

static bool table_file(char *file, uint32_t changes)
{
	return text_join(file, PATH_SIZE, page_file, ".") &&
	       text_decimal(file + strlen(file), changes) > 0;
}

static void page_start(const char *page)
{
	size_t size;
	const struct rules_page *p = page[0] != '/' ||
		strlen(page) > PATH_SIZE / 2 ? NULL :
		map(page, sizeof(*p), PAGE, MAP_SHARED, &size);

	if (!p || p->magic != RULES_PAGE_MAGIC)
		engine_die(EXIT_ENGINE, "not the page of rules", page);
	page_file = page;
	at_hand.rules_changes = &p->changes;
}

bool rules_may_change(void)
{
	return page_file != NULL;
}

static void *map_policy(const char *policy, size_t *size)
{
	void *at = policy[0] == '/' ?
		map(policy, 1, POLICY_SIZE_MAX, MAP_PRIVATE, size) : NULL;

	if (!at)
		engine_die(EXIT_ENGINE, "cannot read the policy", policy);
	return at;
}

/* Apart: few have a page, and what is large on the stack makes it longer. */
COLD static void *map_newest(const char *policy, size_t *size)
{
	char file[PATH_SIZE];

	return map_policy(table_file(file, first.changes) ? file : policy, size);
}

void rules_start(const char *policy, const char *page, int64_t now)
{
	const char *wrong;
	size_t size;
	void *at;

	if (page)
		page_start(page);
	first.changes = __atomic_load_n(at_hand.rules_changes, __ATOMIC_ACQUIRE);
	at = first.changes > 0 ? map_newest(policy, &size) :
				 map_policy(policy, &size);
	wrong = policy_table_read(&first.table, &engine.policy, at, size, now);
	if (wrong)
		engine_die(EXIT_ENGINE, wrong, policy);
}

void rules_check(void)
{
	const char *place, *wrong = lacking(&first.table, &place);

	if (wrong)
		engine_die(EXIT_ENGINE, wrong, place);
	first.host_has = host_has_one(&first.table);
}

/* A table in memory of its own; NULL where it cannot be taken. */
static struct rules *read_table(uint32_t changes)
{
	long memory = SYS(__NR_mmap, 0, sizeof(struct rules),
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct rules *r = (struct rules *)memory;
	struct policy other;	/* clock and names are those of the start */
	char file[PATH_SIZE];
	const char *place;
	size_t size = 0;
	void *at;

	if (IS_ERROR(memory))
		return NULL;
	at = table_file(file, changes) ? map(file, 1, POLICY_SIZE_MAX,
					     MAP_PRIVATE, &size) : NULL;
	if (at && !policy_table_read(&r->table, &other, at, size, 0) &&
	    !lacking(&r->table, &place) &&
	    !(engine.policy.loopback && r->table.network.count > 0)) {
		r->changes = changes;
		r->host_has = host_has_one(&r->table);
		return r;
	}
	if (at)
		SYS(__NR_munmap, at, size);
	SYS(__NR_munmap, memory, sizeof(struct rules));
	return NULL;
}

/* Who is first has the table taken by all others. */
static void take(struct rules *r, const struct rules *before)
{
	if (!__atomic_compare_exchange_n(&newest, &before, r, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		SYS(__NR_munmap, r->table.base, r->table.size);
		SYS(__NR_munmap, r, sizeof(*r));
		return;
	}
	paths_changed();
	places_turned(&r->table);
	network_turned(&r->table);
}

void rules_turn(struct thread *t)
{
	uint32_t wanted = __atomic_load_n(at_hand.rules_changes, __ATOMIC_ACQUIRE);
	const struct rules *before = __atomic_load_n(&newest, __ATOMIC_ACQUIRE);
	struct rules *r;

	thread_rules(t, before);
	if (before->changes == wanted)
		return;
	if (refused == wanted && vdso_coarse() < again)
		return;
	r = read_table(wanted);
	if (r) {
		take(r, before);
	} else {
		again = vdso_coarse() + AGAIN_NS;
		refused = wanted;
	}
	thread_rules(t, __atomic_load_n(&newest, __ATOMIC_ACQUIRE));
}
