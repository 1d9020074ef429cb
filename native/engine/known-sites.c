// SPDX-License-Identifier: Apache-2.0
/*
 * Each start of a dynamic program goes through the same calls of the same loader,
 * once or twice each: too few to make jumps of them, and together the most traps
 * that a short program has. So what a process has found to be a site there, by
 * registers, is told to those that it starts. They look at the same file (number,
 * size and times) and at the bytes once more, and write all jumps before the
 * loader begins: its code is mapped to be written, and then made executable.
 * Nothing of it is ever both.
 */
#include "known-sites.h"
#include "site.h"
#include "stubs.h"
#include "sys.h"
#include "text.h"

static uint64_t file;	/* whose sites these are; 0 = nobody's */
static uint32_t offsets[KNOWN_SITES];
static unsigned int count;
static unsigned long start, end;	/* where that file is mapped here */

static const char *number(const char *at, uint64_t *value)
{
	*value = 0;
	for (; *at >= '0' && *at <= '9'; at++)
		*value = *value * 10 + (uint64_t)(*at - '0');
	return at;
}

void known_sites_start(const char *word)
{
	uint64_t offset;

	word = number(word, &file);
	while (*word == ',' && count < KNOWN_SITES) {
		word = number(word + 1, &offset);
		offsets[count++] = (uint32_t)offset;
	}
}

bool known_sites_pass(char *to)
{
	if (count == 0)
		return false;
	text_copy(to, KNOWN_SITES_WORD, "--sites=");
	to += strlen(to);
	to += text_decimal(to, (int64_t)file);
	for (unsigned int i = 0; i < count; i++) {
		*to++ = ',';
		to += text_decimal(to, offsets[i]);
	}
	return true;
}

void known_sites_of(uint64_t id, const struct loaded *at)
{
	if (file != id)
		count = 0;
	file = id;
	start = at->start;
	end = at->end;
}

void known_sites_learn(unsigned long address)
{
	uint32_t offset = (uint32_t)(address - start);
	unsigned int n = count;

	if (address < start || address >= end || n == KNOWN_SITES)
		return;
	for (unsigned int i = 0; i < n; i++)
		if (offsets[i] == offset)
			return;
	offsets[n] = offset;
	/* Another thread may execute a program meanwhile. */
	__atomic_store_n(&count, n + 1, __ATOMIC_RELEASE);
}

/* The segment that has code; loaders have one. */
static struct elf_load *code_of(struct program *p)
{
	struct elf_load *found = NULL;

	for (unsigned int i = 0; i < p->image.load_count; i++) {
		struct elf_load *l = &p->image.loads[i];

		if (!(l->prot & PROT_EXEC))
			continue;
		if (found || l->prot != (PROT_READ | PROT_EXEC) ||
		    l->memsz > l->filesz)
			return NULL;
		found = l;
	}
	return found;
}

static struct elf_load *code;	/* between begin and end */

bool known_sites_begin(struct program *p)
{
	code = p->id == file && count > 0 ? code_of(p) : NULL;
	if (code)
		code->prot = PROT_READ | PROT_WRITE;
	return code != NULL;
}

/* What one jump overwrites must not be what the next is told by. */
static bool stands_alone(unsigned int i)
{
	for (unsigned int k = 0; k < i; k++) {
		uint32_t distance = offsets[i] - offsets[k];

		if (distance + SITE_BACK + SITE_AHEAD <
		    2 * (SITE_BACK + SITE_AHEAD))
			return false;
	}
	return true;
}

static void write_jump(unsigned long address)
{
	const unsigned char *bytes = (const unsigned char *)address - SITE_BACK;
	struct site site = site_proven(bytes);
	struct stub *place = site.form == SITE_NONE ? NULL : stub_new(address);
	unsigned char jump[SITE_JUMP];
	unsigned long to;
	size_t n;

	if (!place)
		return;
	stub_fill(place, place, &site, bytes, address);
	to = stub_jump(jump, &n, place, &site, address);
	memcpy((void *)to, jump, n);
}

static bool write_jumps(unsigned long loader, unsigned long from,
			unsigned long size)
{
	if (!stubs_begin(loader))
		return true;	/* they go on trapping */
	for (unsigned int i = 0; i < count; i++) {
		unsigned long address = loader + offsets[i];

		if (address >= from + SITE_BACK &&
		    address + SITE_AHEAD <= from + size && stands_alone(i))
			write_jump(address);
	}
	return stubs_end();
}

long known_sites_end(struct program *p, const struct loaded *at)
{
	unsigned long from = PAGE_DOWN(at->bias + code->vaddr),
		      inside = code->vaddr & (PAGE - 1),
		      size = PAGE_UP(code->filesz + inside);
	long got;

	if (write_jumps(at->start, from, size) &&
	    SYS(__NR_mprotect, from, size, PROT_READ | PROT_EXEC) == 0)
		return 0;
	/* A host that lets nothing become executable that was written. */
	got = SYS(__NR_mmap, from, size, PROT_READ | PROT_EXEC,
		  MAP_PRIVATE | MAP_FIXED, p->fd, code->offset - inside);
	return IS_ERROR(got) ? got : 0;
}
