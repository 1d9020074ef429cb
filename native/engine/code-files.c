// SPDX-License-Identifier: Apache-2.0
/*
 * Files whose code is mapped: program and loader by the engine, libraries by the
 * loader. What is mapped over is forgotten. What is unmapped is not, until
 * something else is mapped there: code has to be mapped to be executed.
 */
#include "code-files.h"
#include "dispatch.h"
#include "known-sites.h"
#include "patch.h"
#include "program.h"

/* A program maps its C library among the first; what comes later is not noted. */
#define FILES 16

static struct before before;
static struct code_file mapped[FILES];

static bool overlaps(const struct code_file *f, unsigned long start,
		     unsigned long end)
{
	return f->start < end && start < f->end;
}

static bool is_noted(unsigned long start, unsigned long end)
{
	for (unsigned int i = 0; i < FILES; i++)
		if (overlaps(&mapped[i], start, end))
			return true;
	return false;
}

static void forget(unsigned long start, unsigned long end)
{
	for (unsigned int i = 0; i < FILES; i++)
		if (overlaps(&mapped[i], start, end))
			mapped[i] = (struct code_file){ 0 };
}

void code_files_note(uint64_t id, unsigned long base, unsigned long start,
		     unsigned long end)
{
	forget(start, end);
	for (unsigned int i = 0; i < FILES; i++) {
		if (mapped[i].id != 0)
			continue;
		mapped[i] = (struct code_file){ id, start, end, base, 0 };
		return;
	}
}

struct code_file *code_file_at(unsigned long address)
{
	for (unsigned int i = 0; i < FILES; i++)
		if (address >= mapped[i].start && address < mapped[i].end)
			return &mapped[i];
	return NULL;
}

bool code_file_is_mapped(uint64_t id)
{
	for (unsigned int i = 0; i < FILES; i++)
		if (mapped[i].id == id)
			return true;
	return false;
}

/* Only what is the process's own: what is written there is seen by nobody else. */
static uint64_t file_of(const struct record *r)
{
	struct file_status st;

	if (!(r->rdx & PROT_EXEC) || (r->r10 & MAP_ANONYMOUS) ||
	    (r->r10 & (MAP_PRIVATE | MAP_SHARED)) != MAP_PRIVATE ||
	    SYS(__NR_fstat, (int)r->r8, &st) < 0)
		return 0;
	return program_identity(&st);
}

/* Its jumps are written first: no page is ever written to and executed. A host may
 * let nothing become executable that was written. */
static long write_known(struct record *r, uint64_t id, unsigned long start,
			unsigned long end)
{
	if (known_sites_write(id, start - r->r9, start, end) &&
	    SYS(__NR_mprotect, start, end - start, r->rdx) == 0)
		return (long)start;
	return SYS(__NR_mmap, start, r->rsi, r->rdx, r->r10 | MAP_FIXED,
		   (int)r->r8, r->r9);
}

static long call_mmap(struct record *r)
{
	const unsigned long asked = r->rdx;
	uint64_t id = file_of(r);
	bool known = id != 0 && asked == (PROT_READ | PROT_EXEC) &&
		     known_sites_wait(id);
	unsigned long start, end;
	long at;

	if (known)
		r->rdx = PROT_READ | PROT_WRITE;
	at = call_before(&before, r);
	r->rdx = asked;
	/* What is written to may be too much where code is not. */
	if (known && at == -ENOMEM) {
		known = false;
		at = call_before(&before, r);
	}
	if (IS_ERROR(at))
		return at;
	start = (unsigned long)at;
	end = start + PAGE_UP(r->rsi);
	if (id == 0 && !is_noted(start, end))
		return at;
	patch_lock();
	forget(start, end);
	if (id != 0)
		code_files_note(id, start - r->r9, start, end);
	if (known)
		at = write_known(r, id, start, end);
	patch_unlock();
	return at;
}

void code_files_add(void)
{
	dispatch_over(&before, __NR_mmap, call_mmap);
}
