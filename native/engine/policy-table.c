// SPDX-License-Identifier: Apache-2.0
/* Reads policy.bin: everything in it is looked at once, and damage is told. What the
 * rules of it say is asked in policy-rules.c. */
#include "policy-bytes.h"
#include "policy-table.h"
#include "text.h"

#define HEADER 24
#define ENTRY 16
#define SECTIONS_MAX 64
#define FILTER 32
#define RULES_MAX 4096
#define EXCLUDES_MAX 1024
#define TEXT_MAX 4095

enum section { S_RULE, S_NETW, S_CLCK, S_UNAM, S_ELEM, S_IDEN, S_DMI, S_LINK,
	       S_EXCL, S_TEXT, S_COUNT };

struct part {
	const unsigned char *at;
	uint32_t size;
};

static bool zeros(const unsigned char *p, size_t n)
{
	while (n > 0 && !*p) {
		p++;
		n--;
	}
	return n == 0;
}

static int section_of(const unsigned char *tag)
{
	static const char tags[S_COUNT][5] = { "RULE", "NETW", "CLCK", "UNAM",
		"ELEM", "IDEN", "DMI ", "LINK", "EXCL", "TEXT" };

	for (int i = 0; i < S_COUNT; i++) {
		if (memcmp(tag, tags[i], 4) == 0)
			return i;
	}
	return -1;
}

static const char *read_directory(struct part *parts, const unsigned char *file,
				  size_t size)
{
	static const unsigned char magic[8] = "TRPOL\0\0\1";
	uint32_t count, end;

	if (size < HEADER || size > POLICY_SIZE_MAX ||
	    memcmp(file, magic, 8) != 0 || u32(file + 8) != size)
		return "no policy of this version";
	count = u32(file + 12);
	if (count > SECTIONS_MAX || !zeros(file + 16, 8) ||
	    HEADER + count * ENTRY > size)
		return "a policy with a damaged directory";
	end = HEADER + count * ENTRY;
	for (uint32_t i = 0; i < count; i++) {
		const unsigned char *entry = file + HEADER + (size_t)i * ENTRY;
		uint32_t flags = u32(entry + 4), offset = u32(entry + 8),
			 length = u32(entry + 12);
		int which = section_of(entry);

		if (offset % 8 || offset < end || length > size ||
		    offset > size - length || !zeros(file + end, offset - end))
			return "a policy with a damaged directory";
		end = offset + length;
		if (which < 0 && flags & 1)
			return "a policy that needs a newer engine";
		if (which < 0)
			continue;
		if (parts[which].at)
			return "a policy with a section twice";
		parts[which] = (struct part){ file + offset, length };
	}
	return zeros(file + end, size - end) ? NULL : "a policy with bytes left over";
}

/* A text of the pool; an empty one for none. NULL = damaged. */
static const char *text(const struct policy_table *t, uint32_t at, uint32_t n)
{
	if (at == 0 && n == 0)
		return "";
	if (n > TEXT_MAX || at == 0 || at >= t->texts_size ||
	    n >= t->texts_size - at || t->texts[at + n] != 0 ||
	    strlen(t->texts + at) != n)
		return NULL;
	return t->texts + at;
}

static bool is_clean(const char *path)
{
	if (path[0] != '/')
		return false;
	if (!path[1])
		return true;
	for (const char *at = path; *at;) {
		const char *name = at + 1;
		size_t n = 0;

		while (name[n] && name[n] != '/')
			n++;
		if (n == 0 || (n == 1 && name[0] == '.') ||
		    (n == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		at = name + n;
	}
	return true;
}

static uint32_t outer_of(const struct policy_table *t, uint32_t i,
			 const struct rule *r)
{
	for (uint32_t at = i == 0 ? NO_RULE : i - 1; at != NO_RULE;) {
		struct rule other = rule_get(t, at);

		if (!other.exact && rule_holds(r->from, r->from_length, &other))
			return at;
		at = other.outer;
	}
	return NO_RULE;
}

static const char *check_rule(const struct policy_table *t, uint32_t i,
			      unsigned char *filter)
{
	const unsigned char *p = t->rules + (size_t)i * RULE;
	const char *from = text(t, u32(p), u16(p + 8)),
		   *to = text(t, u32(p + 4), u16(p + 10));
	bool leads = p[13] != RULE_HIDE && p[13] != RULE_HOST;
	struct rule r, before;

	if (!from || !to || p[12] > 1 || p[13] > RULE_HOST || !is_clean(from) ||
	    (leads ? !is_clean(to) : *to != 0))
		return "a policy with a damaged rule";
	if (u16(p + 14) != 0)
		return "redirections of linked packages are not for this engine";
	r = rule_get(t, i);
	if (i > 0) {
		int order;

		before = rule_get(t, i - 1);
		order = rule_order(before.from, before.from_length, r.from,
				r.from_length);
		if (order > 0 || (order == 0 && before.exact >= r.exact))
			return "a policy with rules out of order";
	}
	if (r.outer != outer_of(t, i, &r))
		return "a policy with rules out of order";
	if (r.from_length == 1 && !r.exact)
		memset(filter, 0xff, FILTER);
	else
		filter[(unsigned char)from[1] >> 3] |=
			(unsigned char)(1U << (from[1] & 7));
	return NULL;
}

static const char *read_rules(struct policy_table *t, const struct part *p)
{
	unsigned char filter[FILTER] = { 0 };

	if (!p->at)
		return NULL;
	if (p->size < FILTER + RULE || (p->size - FILTER) % RULE ||
	    (p->size - FILTER) / RULE > RULES_MAX)
		return "a policy with damaged rules";
	t->rules = p->at + FILTER;
	t->rule_count = (p->size - FILTER) / RULE;
	for (uint32_t i = 0; i < t->rule_count; i++) {
		const char *wrong = check_rule(t, i, filter);

		if (wrong)
			return wrong;
	}
	if (memcmp(filter, p->at, FILTER) != 0)
		return "a policy with a false filter";
	t->filter = p->at;
	return NULL;
}

static const char *read_clock(struct policy *policy, const struct part *p,
			      int64_t now)
{
	int64_t ns, sum;
	uint64_t rate;

	if (!p->at)
		return NULL;
	if (p->size != 24 || p->at[0] > 2 || !zeros(p->at + 1, 7))
		return "a policy with a damaged clock";
	ns = (int64_t)u64(p->at + 8);
	rate = u64(p->at + 16);
	if (rate == 0 || rate >= (uint64_t)RATE_END << 32 ||
	    __builtin_add_overflow(now, ns, &sum))
		return "a policy with a damaged clock";
	policy->clock_on = true;
	policy->clock = (struct app_clock){ now, p->at[0] == 0 ? sum : ns,
					    p->at[0] == 2 ? 0 : rate };
	return NULL;
}

static bool put_name(char *to, const struct policy_table *t,
		     const unsigned char *p)
{
	const char *name = text(t, u32(p), u32(p + 4));

	return name && text_copy(to, UTS_SIZE, name);
}

static const char *read_names(const struct policy_table *t,
			      struct policy *policy, const struct part *parts)
{
	const struct part *u = &parts[S_UNAM], *i = &parts[S_IDEN],
			  *e = &parts[S_ELEM];

	if (u->size != 24 || i->size != 40 || e->size != 8 || e->at[0] > 2 ||
	    e->at[1] > 1 || !zeros(e->at + 2, 6))
		return "a policy without names, elements or identity";
	if (!put_name(policy->release, t, u->at) ||
	    !put_name(policy->version, t, u->at + 8) ||
	    !put_name(policy->machine, t, u->at + 16) ||
	    !put_name(policy->node, t, i->at) ||
	    !put_name(policy->domain, t, i->at + 8))
		return "a policy with damaged names";
	policy->vsyscall = e->at[0] == 1;
	policy->loopback = e->at[1] == 1;
	/* They are files: who starts an instance makes rules of them. */
	if (u32(i->at + 16) || u32(i->at + 20) || i->at[31])
		return "machine id and host id are not for this engine";
	if (i->at[30] > 1 || (i->at[24] & 1 && i->at[30]))
		return "a policy with a damaged MAC address";
	policy->mac_on = i->at[30];
	memcpy(policy->mac, i->at + 24, sizeof(policy->mac));
	return NULL;
}

static const char *read_excludes(struct policy_table *t, const struct part *p)
{
	t->excludes = p->at;
	t->exclude_count = p->size / 8;
	if (p->size % 8 || t->exclude_count > EXCLUDES_MAX)
		return "a policy with damaged names of programs";
	for (uint32_t i = 0; i < t->exclude_count; i++) {
		const char *name = text(t, u32(p->at + i * 8UL),
					u32(p->at + i * 8UL + 4));

		if (!name || !*name || strchr(name, '/'))
			return "a policy with damaged names of programs";
	}
	return NULL;
}

const char *policy_table_read(struct policy_table *t, struct policy *policy,
			      const void *file, size_t size, int64_t now)
{
	struct part parts[S_COUNT];
	const char *wrong;

	memset(parts, 0, sizeof(parts));
	memset(t, 0, sizeof(*t));
	wrong = read_directory(parts, file, size);
	if (wrong)
		return wrong;
	t->base = file;
	t->size = size;
	t->texts = (const char *)parts[S_TEXT].at;
	t->texts_size = parts[S_TEXT].size;
	if (t->texts && (t->texts_size < 1 || t->texts[0] ||
			 t->texts[t->texts_size - 1]))
		return "a policy with damaged texts";
	wrong = net_rules_read(&t->network, parts[S_NETW].at, parts[S_NETW].size);
	if (wrong)
		return wrong;
	if (parts[S_DMI].size)
		return "DMI fields are not for this engine";
	if (parts[S_LINK].size)
		return "links to packages are not for this engine";
	wrong = read_excludes(t, &parts[S_EXCL]);
	if (wrong)
		return wrong;
	wrong = read_rules(t, &parts[S_RULE]);
	if (!wrong)
		wrong = read_clock(policy, &parts[S_CLCK], now);
	return wrong ? wrong : read_names(t, policy, parts);
}
