// SPDX-License-Identifier: Apache-2.0
/* Maps programs as load_elf_binary() of the kernel does (fs/binfmt_elf.c). */
#include "loader.h"
#include "sys.h"
#include "text.h"

/* Two thirds of the address space: where the kernel puts programs that may
 * stand anywhere, and up to 2^28 pages above it. */
#define PROGRAM_BASE 0x555555554000UL
#define RANDOM_PAGES ((1UL << 28) - 1)

/* The first page that programs cannot have. */
#define ADDRESSES_END 0x7ffffffff000UL

/*
 * The kernel puts the first segment where the room begins, even if others have
 * lower addresses: those come below it, as far as there is a below.
 */
static bool has_room(const struct elf_image *image)
{
	unsigned long size = image->high - image->low;

	return image->load_count == 0 ||
	       (size < ADDRESSES_END && PAGE_DOWN(image->loads[0].vaddr) -
						image->low <
					ADDRESSES_END - size);
}

/* Reserves room for all segments of an image that may stand anywhere. */
static long reserve(const struct elf_image *image, bool loader, uint64_t random)
{
	unsigned long size = image->high - image->low, hint = 0, extra;
	long at;

	if (!loader)
		hint = PROGRAM_BASE + (random & RANDOM_PAGES) * PAGE;
	hint &= ~(image->align - 1);
	extra = image->align > PAGE ? image->align : 0;
	if (hint > 0) {
		at = SYS(__NR_mmap, hint, size, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			 MAP_FIXED_NOREPLACE, -1, 0);
		if ((unsigned long)at == hint)
			return at;
		if (!IS_ERROR(at))
			SYS(__NR_munmap, at, size);
	}
	at = SYS(__NR_mmap, 0, size + extra, PROT_NONE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (IS_ERROR(at) || extra == 0)
		return at;
	hint = ((unsigned long)at + extra - 1) & ~(extra - 1);
	if (hint > (unsigned long)at)
		SYS(__NR_munmap, at, hint - (unsigned long)at);
	if (hint + size < (unsigned long)at + size + extra)
		SYS(__NR_munmap, hint + size,
		    (unsigned long)at + extra - hint);
	return (long)hint;
}

/*
 * A program that must stand where it was linked: its segments may overlap each
 * other, as the kernel lets them, but nothing that is there already. So its room
 * is asked for as a whole and given back; nobody else maps anything meanwhile.
 */
static bool is_free(const struct elf_image *image)
{
	unsigned long size = image->high - image->low;
	long at = SYS(__NR_mmap, image->low, size, PROT_NONE, MAP_PRIVATE |
		      MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (!IS_ERROR(at))
		SYS(__NR_munmap, at, size);
	return (unsigned long)at == image->low;
}

/* The rest of a segment that the file does not fill: zeros up to the end of
 * its page (the C library's first allocations lie there), then empty pages. As
 * of vm_brk_flags(), these can be written whatever the segment says. */
static long map_rest(const struct elf_load *load, unsigned long bias, int fixed)
{
	unsigned long from = bias + load->vaddr + load->filesz,
		      to = bias + load->vaddr + load->memsz,
		      page = load->filesz ? PAGE_UP(from) : PAGE_DOWN(from);
	long got;

	if (load->filesz && load->prot & PROT_WRITE && page > from)
		memset((void *)from, 0, page - from);
	if (PAGE_UP(to) <= page)
		return 0;
	got = SYS(__NR_mmap, page, PAGE_UP(to) - page,
		  PROT_READ | PROT_WRITE | (load->prot & PROT_EXEC), MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
	if (IS_ERROR(got))
		return got;
	return (unsigned long)got == page ? 0 : -ENOMEM;
}

static long map_segment(const struct program *p, const struct elf_load *load,
			unsigned long bias, int fixed)
{
	unsigned long start = PAGE_DOWN(bias + load->vaddr);
	unsigned long inside = load->vaddr & (PAGE - 1);
	long got;

	if (load->filesz > 0) {
		got = SYS(__NR_mmap, start, PAGE_UP(load->filesz + inside),
			  load->prot, MAP_PRIVATE | fixed, p->fd,
			  load->offset - inside);
		if (IS_ERROR(got))
			return got == -EPERM ? -EACCES : got;
		if ((unsigned long)got != start)
			return -ENOMEM;
	}
	if (load->memsz > load->filesz)
		return map_rest(load, bias, fixed);
	return 0;
}

static void note_bounds(struct loaded *to, const struct elf_load *load)
{
	unsigned long start = to->bias + load->vaddr;

	if (load->prot & PROT_EXEC) {
		if (!to->code_start)
			to->code_start = start;
		to->code_end = start + load->filesz;
	}
	if (start > to->data_start)
		to->data_start = start;
	if (start + load->filesz > to->data_end)
		to->data_end = start + load->filesz;
	if (start + load->memsz > to->end_of_data)
		to->end_of_data = start + load->memsz;
}

long load(const struct program *p, bool loader, uint64_t random,
	  struct loaded *to)
{
	const struct elf_image *image = &p->image;
	/* Never over what is there, unless we put it there. */
	int fixed = image->dynamic || is_free(image) ? MAP_FIXED :
						       MAP_FIXED_NOREPLACE;
	long result;

	memset(to, 0, sizeof(*to));
	if (image->dynamic && !has_room(image))
		return -ENOMEM;
	if (image->dynamic) {
		result = reserve(image, loader, random);
		if (IS_ERROR(result))
			return result;
		to->bias = (unsigned long)result - image->low;
	}
	for (unsigned int i = 0; i < image->load_count; i++) {
		result = map_segment(p, &image->loads[i], to->bias, fixed);
		if (result < 0)
			return result;
		note_bounds(to, &image->loads[i]);
	}
	to->entry = to->bias + image->entry;
	to->headers = image->headers ? to->bias + image->headers : 0;
	to->start = to->bias + image->low;
	to->end = to->bias + image->high;
	return 0;
}
