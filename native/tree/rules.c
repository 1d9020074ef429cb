// SPDX-License-Identifier: Apache-2.0
/* What may be made, and as what: the options of `unpack`. */
#include <string.h>
#include <sys/sysmacros.h>

#include "die.h"
#include "unpack.h"

/* Reads a decimal number up to @end; dies where it is none. */
static uint64_t number(const char **text, char end, const char *option)
{
	uint64_t value = 0;
	const char *at = *text;

	if (*at == '\0' || *at == end)
		die("%s: a number is missing", option);
	for (; *at && *at != end; at++) {
		if (*at < '0' || *at > '9' ||
		    value > (UINT64_MAX - 9) / 10)
			die("%s: not a number: %s", option, *text);
		value = value * 10 + (uint64_t)(*at - '0');
	}
	if (end && *at != end)
		die("%s: '%c' is missing: %s", option, end, *text);
	*text = end ? at + 1 : at;
	return value;
}

static uint32_t number32(const char **text, char end, const char *option)
{
	uint64_t value = number(text, end, option);

	if (value > UINT32_MAX)
		die("%s: too large: %llu", option, (unsigned long long)value);
	return (uint32_t)value;
}

static void add_range(struct id_map *map, const char *text, const char *option)
{
	struct id_range *r = &map->at[map->count];

	if (map->count == MAX_RANGES)
		die("%s: more than %d", option, MAX_RANGES);
	r->in = number32(&text, ':', option);
	r->out = number32(&text, ':', option);
	r->count = number32(&text, '\0', option);
	if (r->count > UINT32_MAX - r->in || r->count > UINT32_MAX - r->out)
		die("%s: the range is too long", option);
	map->count++;
}

static void add_device(struct rules *rules, const char *text,
		       const char *option)
{
	uint32_t x;
	uint32_t y;

	if (rules->device_count == MAX_DEVICES)
		die("%s: more than %d", option, MAX_DEVICES);
	/* makedev() may be a macro that names its arguments twice. */
	x = number32(&text, ':', option);
	y = number32(&text, '\0', option);
	rules->devices[rules->device_count++] = makedev(x, y);
}

const char *parse_rules(struct rules *r, int argc, char **argv)
{
	r->max_bytes = UINT64_MAX;
	r->max_entries = UINT64_MAX;
	for (int i = 0; i < argc - 1; i++) {
		const char *option = argv[i];
		const char *value = argv[i + 1];

		if (strcmp(option, "--no-openat2") == 0) {
			r->no_openat2 = true;
			continue;
		}
		if (++i == argc - 1)
			die("%s: needs a value, and DEST after it", option);
		if (strcmp(option, "--max-bytes") == 0)
			r->max_bytes = number(&value, '\0', option);
		else if (strcmp(option, "--max-entries") == 0)
			r->max_entries = number(&value, '\0', option);
		else if (strcmp(option, "--allow-device") == 0)
			add_device(r, value, option);
		else if (strcmp(option, "--uid-map") == 0)
			add_range(&r->uids, value, option);
		else if (strcmp(option, "--gid-map") == 0)
			add_range(&r->gids, value, option);
		else
			die("unknown option: %s", option);
	}
	return argv[argc - 1];
}
