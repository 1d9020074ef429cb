// SPDX-License-Identifier: Apache-2.0
/* Who a thread is, as a word that execve() carries on. */
#include "ids.h"
#include "text.h"

/* In the order of struct ids. */
static void numbers_of(uint64_t numbers[14], const struct ids *i)
{
	uint64_t sets[] = { i->effective, i->permitted, i->inheritable, i->bound,
			    i->ambient, i->secure };

	for (unsigned int k = 0; k < ID_KINDS; k++) {
		numbers[k] = i->uid[k];
		numbers[ID_KINDS + k] = i->gid[k];
	}
	memcpy(numbers + 8, sets, sizeof(sets));
}

void ids_write(char *to, const struct ids *i)
{
	uint64_t numbers[14];

	numbers_of(numbers, i);
	for (unsigned int k = 0; k < 14 + i->count; k++) {
		if (k > 0)
			*to++ = ',';
		to += text_decimal(to, k < 14 ? (int64_t)numbers[k]
					      : i->group[k - 14]);
	}
}

static bool next_number(const char **text, uint64_t most, uint64_t *number)
{
	const char *at = *text;

	*number = 0;
	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++) {
		*number = *number * 10 + (uint64_t)(*at - '0');
		if (*number > most)
			return false;
	}
	if (*at && *at != ',')
		return false;
	*text = *at ? at + 1 : at;
	return true;
}

bool ids_read(struct ids *i, const char *text)
{
	uint64_t n[14], group;

	memset(i, 0, sizeof(*i));
	for (unsigned int k = 0; k < 14; k++)
		if (!next_number(&text, k < 8 ? NO_ID - 1 : k < 13 ? CAPS_ALL
				 : SECURE_BITS | SECURE_LOCKS | SECURE_EXECUTED,
				 &n[k]))
			return false;
	for (unsigned int k = 0; k < ID_KINDS; k++) {
		i->uid[k] = (uint32_t)n[k];
		i->gid[k] = (uint32_t)n[ID_KINDS + k];
	}
	i->effective = n[8];
	i->permitted = n[9];
	i->inheritable = n[10];
	i->bound = n[11];
	i->ambient = n[12];
	i->secure = (uint32_t)n[13];
	while (*text) {
		if (i->count == IDS_GROUPS ||
		    !next_number(&text, NO_ID - 1, &group))
			return false;
		i->group[i->count++] = (uint32_t)group;
	}
	return true;
}
