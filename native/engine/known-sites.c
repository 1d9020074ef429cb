// SPDX-License-Identifier: Apache-2.0
/*
 * Each start of a program goes through the same calls of the same loader and the
 * same C library, mostly a few times each: too few to make jumps of them, and
 * together the most traps that a short program has. So what a process has found
 * to be a site there, by registers, is told to those that it starts. They look at
 * the same file (number, size and times) and at the same bytes around the call.
 *
 * They are written before the code is executed: it is mapped to be written, and then
 * made executable; nothing of it is ever both. Of other files than the loader only
 * those are told that became jumps, as they were used often: each page that is
 * written to costs as much as two traps. What was mapped by several threads, or in
 * another way, is written when calls of the file have trapped a few times.
 */
#include "code-files.h"
#include "known-sites.h"
#include "site.h"
#include "stubs.h"
#include "sys.h"
#include "text.h"

#define TRAPS_DUE 6

static struct known_sites known[KNOWN_FILES];
static uint64_t loader_id;

static const char *number(const char *at, uint64_t *value)
{
	*value = 0;
	for (; *at >= '0' && *at <= '9'; at++)
		*value = *value * 10 + (uint64_t)(*at - '0');
	return at;
}

static const char *read_file(struct known_sites *k, const char *word)
{
	uint64_t offset, check;

	word = number(word, &k->file);
	while (*word == ',') {
		word = number(word + 1, &offset);
		if (*word != ',')
			break;
		word = number(word + 1, &check);
		if (k->count < KNOWN_SITES)
			k->sites[k->count++] = (struct known_site){
				(uint32_t)offset, (uint32_t)check };
	}
	return word;
}

void known_sites_start(const char *word)
{
	for (unsigned int i = 0; i < KNOWN_FILES; i++) {
		word = read_file(&known[i], word);
		if (*word++ != ';')
			break;
	}
}

bool known_sites_pass(char *to)
{
	text_copy(to, KNOWN_SITES_WORD, "--sites=");
	to += strlen(to);
	for (unsigned int i = 0; i < KNOWN_FILES; i++) {
		const struct known_sites *k = &known[i];
		/* Another thread may learn meanwhile. */
		unsigned int n = __atomic_load_n(&k->count, __ATOMIC_ACQUIRE);

		if (n == 0)
			continue;
		if (to[-1] != '=')
			*to++ = ';';
		to += text_decimal(to, (int64_t)k->file);
		for (unsigned int s = 0; s < n; s++) {
			*to++ = ',';
			to += text_decimal(to, k->sites[s].offset);
			*to++ = ',';
			to += text_decimal(to, k->sites[s].check);
		}
	}
	return to[-1] != '=';
}

static struct known_sites *of_file(uint64_t file)
{
	for (unsigned int i = 0; i < KNOWN_FILES; i++)
		if (known[i].count > 0 && known[i].file == file)
			return &known[i];
	return NULL;
}

/* A place for what will be known of @file: one that is free, or of a file that is
 * not here. */
static struct known_sites *place_for(uint64_t file)
{
	for (unsigned int i = 0; i < KNOWN_FILES; i++) {
		struct known_sites *k = &known[i];

		if (k->count > 0 && code_file_is_mapped(k->file))
			continue;
		__atomic_store_n(&k->count, 0, __ATOMIC_RELEASE);
		k->file = file;
		return k;
	}
	return NULL;
}

static uint32_t check_of(const unsigned char *bytes)
{
	uint64_t front, behind, h = 0x9e3779b97f4a7c15ULL;

	_Static_assert(SITE_BACK == 8 && SITE_AHEAD == 8, "two words");
	memcpy(&front, bytes, 8);
	memcpy(&behind, bytes + 8, 8);
	h = (h ^ front) * 0xff51afd7ed558ccdULL;
	h = ((h ^ h >> 32) ^ behind) * 0xff51afd7ed558ccdULL;
	return (uint32_t)(h >> 32);
}

bool known_site_is(const struct known_site *site, const unsigned char *bytes)
{
	return site->check == check_of(bytes);
}

/* What one jump overwrites must not be what the next is told by. */
static bool stands_alone(const struct known_sites *k, uint32_t offset)
{
	for (unsigned int i = 0; i < k->count; i++) {
		uint32_t distance = offset - k->sites[i].offset;

		if (distance + SITE_BACK + SITE_AHEAD <
		    2 * (SITE_BACK + SITE_AHEAD))
			return false;
	}
	return true;
}

void known_sites_learn(unsigned long address, const unsigned char *bytes,
		       bool jump)
{
	const struct code_file *f = code_file_at(address);
	struct known_sites *k = f ? of_file(f->id) : NULL;
	unsigned long offset = f ? address - f->base : 0;
	unsigned int n;

	if (!f || (!jump && f->id != loader_id) || offset > UINT32_MAX)
		return;
	if (!k)
		k = place_for(f->id);
	if (!k || k->count == KNOWN_SITES || !stands_alone(k, (uint32_t)offset))
		return;
	n = k->count;
	k->sites[n] = (struct known_site){ (uint32_t)offset, check_of(bytes) };
	/* Another thread may execute a program meanwhile. */
	__atomic_store_n(&k->count, n + 1, __ATOMIC_RELEASE);
}

const struct known_sites *known_sites_due(unsigned long address,
					  unsigned long *base, unsigned long *end)
{
	struct code_file *f = code_file_at(address);

	if (!f || ++f->traps != TRAPS_DUE)
		return NULL;
	*base = f->base;
	*end = f->end;
	return of_file(f->id);
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

/* Between begin and end. */
static struct elf_load *code;
static const struct known_sites *of_loader;

bool known_sites_begin(struct program *p)
{
	loader_id = p->id;
	of_loader = of_file(p->id);
	code = of_loader ? code_of(p) : NULL;
	if (code)
		code->prot = PROT_READ | PROT_WRITE;
	return code != NULL;
}

static void write_jump(const struct known_site *known_site,
		       unsigned long address)
{
	unsigned char *bytes = (unsigned char *)address - SITE_BACK;
	unsigned char jump[SITE_JUMP];
	struct stub *place;
	struct site site;
	unsigned long to;
	size_t n;

	/* A page that is read before it is written to costs twice. */
	__asm__ volatile("lock orb $0, %0" : "+m"(*bytes));
	site = site_proven(bytes);
	place = site.form == SITE_NONE || !known_site_is(known_site, bytes) ?
		NULL : stub_new(address);
	if (!place)
		return;
	stub_fill(place, place, &site, bytes, address);
	to = stub_jump(jump, &n, place, &site, address);
	memcpy((void *)to, jump, n);
}

static bool write_jumps(const struct known_sites *k, unsigned long base,
			unsigned long from, unsigned long to)
{
	if (!stubs_begin(base))
		return true;	/* they go on trapping */
	for (unsigned int i = 0; i < k->count; i++) {
		unsigned long address = base + k->sites[i].offset;

		if (address >= from + SITE_BACK && address + SITE_AHEAD <= to)
			write_jump(&k->sites[i], address);
	}
	return stubs_end();
}

bool known_sites_wait(uint64_t file)
{
	return !many_threads && of_file(file) != NULL;
}

bool known_sites_write(uint64_t file, unsigned long base, unsigned long from,
		       unsigned long to)
{
	struct code_file *f = code_file_at(from);

	if (f)
		f->traps = TRAPS_DUE;
	return write_jumps(of_file(file), base, from, to);
}

long known_sites_end(struct program *p, const struct loaded *at)
{
	unsigned long from = PAGE_DOWN(at->bias + code->vaddr),
		      inside = code->vaddr & (PAGE - 1),
		      size = PAGE_UP(code->filesz + inside);
	long got;

	if (write_jumps(of_loader, at->start, from, from + size) &&
	    SYS(__NR_mprotect, from, size, PROT_READ | PROT_EXEC) == 0)
		return 0;
	/* A host that lets nothing become executable that was written. */
	got = SYS(__NR_mmap, from, size, PROT_READ | PROT_EXEC,
		  MAP_PRIVATE | MAP_FIXED, p->fd, code->offset - inside);
	return IS_ERROR(got) ? got : 0;
}
