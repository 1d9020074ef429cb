// SPDX-License-Identifier: Apache-2.0
#include "options.h"
#include "text.h"

/* A decimal number with up to nine digits behind the point, times 10^9. */
static bool fixed_point(const char *s, int64_t *value)
{
	char whole[24];
	const char *point = strchr(s, '.');
	size_t n = point ? (size_t)(point - s) : strlen(s);
	int64_t scale = NS_PER_S, part = 0, units;
	bool negative = s[0] == '-';

	if (n >= sizeof(whole))
		return false;
	memcpy(whole, s, n);
	whole[n] = 0;
	if (!text_number(whole, &units))
		return false;
	for (const char *at = point ? point + 1 : ""; *at; at++) {
		if (*at < '0' || *at > '9' || scale == 1)
			return false;
		scale /= 10;
		part += (*at - '0') * scale;
	}
	if (__builtin_mul_overflow(units, NS_PER_S, &units))
		return false;
	return !__builtin_add_overflow(units, negative ? -part : part, value);
}

static bool clock_option(struct options *o, const char *name, const char *value,
			 int64_t now)
{
	struct app_clock *c = &o->policy.clock;
	int64_t number;

	if (!fixed_point(value, &number))
		return false;
	if (!o->policy.clock_on)
		*c = (struct app_clock){ now, now, RATE_ONE };
	o->policy.clock_on = true;
	if (strcmp(name, "--clock-offset") == 0)
		return !__builtin_add_overflow(now, number, &c->app_base);
	if (strcmp(name, "--clock-at") == 0) {
		c->app_base = number;
		return true;
	}
	if (number < 0 || number >= RATE_END * NS_PER_S)
		return false;
	c->rate = ((uint64_t)(number / NS_PER_S) << 32) +
		  ((uint64_t)(number % NS_PER_S) << 32) / NS_PER_S;
	return true;
}

static bool resume_option(struct options *o, const char *value)
{
	struct app_clock *c = &o->policy.clock;
	int64_t fields[4];
	char part[24];

	for (unsigned int i = 0; i < 4; i++) {
		const char *comma = strchr(value, ',');
		size_t n = comma ? (size_t)(comma - value) : strlen(value);

		if (n >= sizeof(part) || (!comma) != (i == 3))
			return false;
		memcpy(part, value, n);
		part[n] = 0;
		if (!text_number(part, &fields[i]))
			return false;
		value += n + 1;
	}
	c->kernel_base = fields[0];
	c->app_base = fields[1];
	c->rate = (uint64_t)fields[2];
	o->flags = fields[3];
	o->resumed = true;
	return true;
}

static bool trap_option(struct options *o, const char *value)
{
	if (strcmp(value, "seccomp") == 0)
		o->trap = TRAP_SECCOMP;
	else if (strcmp(value, "dispatch") == 0)
		o->trap = TRAP_DISPATCH;
	else
		return false;
	return true;
}

/* Those whose value is kept as it stands. */
static bool word_option(struct options *o, const char *name, const char *value)
{
	static const struct {
		const char *name;
		size_t at;
		enum { PATH, WORD, ANY } form; /* "/...", not empty, or either */
	} words[] = {
		{ "--root", offsetof(struct options, root), PATH },
		{ "--log", offsetof(struct options, log), PATH },
		{ "--users", offsetof(struct options, users), PATH },
		{ "--rules", offsetof(struct options, rules_page), PATH },
		{ "--clock-page", offsetof(struct options, clock_page), PATH },
		{ "--policy", offsetof(struct options, policy_file), WORD },
		{ "--package", offsetof(struct options, package), WORD },
		{ "--copies", offsetof(struct options, copies), WORD },
		{ "--ids", offsetof(struct options, ids), ANY },
		{ "--sites", offsetof(struct options, sites), ANY },
		{ "--loopback", offsetof(struct options, loopback), ANY },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(name, words[i].name) != 0)
			continue;
		memcpy((char *)o + words[i].at, &value, sizeof(value));
		if (words[i].form == PATH)
			return *value == '/' && strlen(value) < ROOT_SIZE;
		return words[i].form == ANY || *value != 0;
	}
	return false;
}

static bool with_value(struct options *o, const char *name, const char *value,
		       int64_t now)
{
	static const struct { const char *name; size_t at; } names[] = {
		{ "--node", offsetof(struct policy, node) },
		{ "--domain", offsetof(struct policy, domain) },
		{ "--release", offsetof(struct policy, release) },
		{ "--version", offsetof(struct policy, version) },
		{ "--machine", offsetof(struct policy, machine) },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i].name) == 0)
			return text_copy((char *)&o->policy + names[i].at,
					 UTS_SIZE, value);
	}
	if (strncmp(name, "--clock-", 8) == 0 &&
	    strcmp(name, "--clock-page") != 0) {
		if (strcmp(name + 8, "offset") != 0 &&
		    strcmp(name + 8, "at") != 0 &&
		    strcmp(name + 8, "rate") != 0)
			return false;
		return clock_option(o, name, value, now);
	}
	if (strcmp(name, "--allow-host") == 0)
		return *value == '/';	/* looked up in the words */
	if (strcmp(name, "--trap") == 0)
		return trap_option(o, value);
	if (strcmp(name, "--resume") == 0)
		return resume_option(o, value);
	if (strcmp(name, "--filters") == 0)
		return text_number(value, &o->filters) && o->filters >= 0;
	if (strcmp(name, "--close") == 0)
		return text_number(value, &o->close) && o->close >= 0;
	return word_option(o, name, value);
}

static bool one_option(struct options *o, const char *word, int64_t now)
{
	const char *equals = strchr(word, '=');
	char name[24];
	size_t n;

	if (strcmp(word, "--argv0") == 0)
		o->argv0 = true;
	else if (strcmp(word, "--vsyscall") == 0)
		o->policy.vsyscall = true;
	else if (strcmp(word, "--fast-loopback") == 0)
		o->policy.loopback = true;
	else if (strcmp(word, "--set-id") == 0)
		o->policy.allow_set_id = true;
	else if (strcmp(word, "--leave") == 0)
		o->policy.leave = true;
	else if (strcmp(word, "--search") == 0)
		o->search = true;
	else if (strcmp(word, "--probe") == 0)
		o->probe = true;
	else if (equals && (n = (size_t)(equals - word)) < sizeof(name)) {
		memcpy(name, word, n);
		name[n] = 0;
		return with_value(o, name, equals + 1, now);
	} else
		return false;
	return true;
}

/* What the engine adds by itself, and would add again. */
static bool is_added(const char *word)
{
	return strcmp(word, "--argv0") == 0 ||
	       strcmp(word, "--search") == 0 ||
	       strncmp(word, "--resume=", 9) == 0 ||
	       strncmp(word, "--root=", 7) == 0 ||
	       strncmp(word, "--loopback=", 11) == 0 ||
	       strncmp(word, "--ids=", 6) == 0 ||
	       strncmp(word, "--filters=", 10) == 0 ||
	       strncmp(word, "--sites=", 8) == 0 ||
	       strncmp(word, "--close=", 8) == 0;
}

bool options_read(struct options *o, char **words, int64_t now)
{
	memset(o, 0, sizeof(*o));
	o->close = -1;
	o->filters = -1;
	for (; words[o->count]; o->count++) {
		const char *word = words[o->count];

		if (strncmp(word, "--", 2) != 0)
			return true;
		if (strcmp(word, "--") == 0) {
			o->count++;
			return words[o->count] != NULL;
		}
		if (!one_option(o, word, now)) {
			o->wrong = word;
			return false;
		}
		if (!is_added(word))
			o->passed = o->count + 1;
	}
	return false;
}

static void put(char *to, const char *from)
{
	if (*from)
		memcpy(to, from, UTS_SIZE);
}

void options_over(struct policy *policy, const struct options *o)
{
	const struct policy *own = &o->policy;

	/* A clock that already runs goes on, whoever it was from. */
	if (own->clock_on || o->resumed) {
		policy->clock_on = policy->clock_on || own->clock_on;
		policy->clock = own->clock;
	}
	put(policy->node, own->node);
	put(policy->domain, own->domain);
	put(policy->release, own->release);
	put(policy->version, own->version);
	put(policy->machine, own->machine);
	policy->vsyscall = policy->vsyscall || own->vsyscall;
	policy->loopback = policy->loopback || own->loopback;
	policy->allow_set_id = own->allow_set_id;
	policy->leave = own->leave;
}

void options_resume(char *to, const struct app_clock *clock, int64_t flags)
{
	int64_t fields[] = { clock->kernel_base, clock->app_base,
			     (int64_t)clock->rate, flags };

	text_copy(to, RESUME_SIZE, "--resume=");
	to += strlen(to);
	for (unsigned int i = 0; i < 4; i++) {
		if (i > 0)
			*to++ = ',';
		to += text_decimal(to, fields[i]);
	}
}
