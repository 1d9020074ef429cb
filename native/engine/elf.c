// SPDX-License-Identifier: Apache-2.0
#include <linux/elf.h>

#include "elf.h"
#include "text.h"

#define PAGE 4096ULL
/* What the kernel itself takes: one page of headers. */
#define HEADERS_MAX 4096
/* Above this no program may lie. */
#define ADDRESS_MAX 0x7ffffffff000ULL

enum elf_verdict elf_headers(const void *head, size_t n, uint64_t *offset,
			     size_t *size)
{
	Elf64_Ehdr e;

	if (n < EI_NIDENT || memcmp(head, ELFMAG, SELFMAG) != 0)
		return ELF_NOT;
	if (n < sizeof(Elf32_Ehdr))
		return ELF_BROKEN;
	memset(&e, 0, sizeof(e));
	memcpy(&e, head, n < sizeof(e) ? n : sizeof(e));
	if (e.e_ident[EI_DATA] != ELFDATA2LSB)
		return ELF_FOREIGN;
	/* e_machine stands at the same place in both classes. */
	if (e.e_machine == EM_386 || e.e_machine == 6 /* EM_486 */)
		return ELF_I386;
	if (e.e_machine != EM_X86_64)
		return ELF_FOREIGN;
	if (e.e_ident[EI_CLASS] != ELFCLASS64)
		return ELF_I386; /* x32: the kernel's 32-bit side as well */
	if (n < sizeof(e))
		return ELF_BROKEN;
	if (e.e_type != ET_EXEC && e.e_type != ET_DYN)
		return ELF_FOREIGN;
	if (e.e_phentsize != sizeof(Elf64_Phdr) || e.e_phnum == 0 ||
	    e.e_phnum * sizeof(Elf64_Phdr) > HEADERS_MAX ||
	    e.e_phoff > INT64_MAX - HEADERS_MAX)
		return ELF_BROKEN;
	*offset = e.e_phoff;
	*size = e.e_phnum * sizeof(Elf64_Phdr);
	return ELF_OK;
}

static int protection(uint32_t flags)
{
	return (flags & PF_R ? 1 : 0) | (flags & PF_W ? 2 : 0) |
	       (flags & PF_X ? 4 : 0);
}

static enum elf_verdict add_load(struct elf_image *image, const Elf64_Phdr *p)
{
	uint64_t from = p->p_vaddr & ~(PAGE - 1), to;
	struct elf_load *load;

	if (p->p_memsz == 0 && p->p_filesz == 0)
		return ELF_OK;
	if (p->p_filesz > p->p_memsz || p->p_vaddr >= ADDRESS_MAX ||
	    p->p_memsz > ADDRESS_MAX - p->p_vaddr ||
	    p->p_offset > (uint64_t)INT64_MAX - p->p_memsz ||
	    (p->p_filesz > 0 && (p->p_offset ^ p->p_vaddr) & (PAGE - 1)))
		return ELF_BROKEN;
	to = (p->p_vaddr + p->p_memsz + PAGE - 1) & ~(PAGE - 1);
	if (image->load_count == ELF_LOADS_MAX)
		return ELF_BROKEN;
	/* The specification wants them to ascend, the kernel does not. */
	if (image->load_count == 0 || from < image->low)
		image->low = from;
	if (to > image->high)
		image->high = to;
	if (p->p_align > image->align && p->p_align <= 1ULL << 30 &&
	    (p->p_align & (p->p_align - 1)) == 0)
		image->align = p->p_align;
	load = &image->loads[image->load_count++];
	load->offset = p->p_offset;
	load->vaddr = p->p_vaddr;
	load->filesz = p->p_filesz;
	load->memsz = p->p_memsz;
	load->prot = protection(p->p_flags);
	return ELF_OK;
}

enum elf_verdict elf_read(const void *head, const void *table, size_t size,
			  struct elf_image *image)
{
	const char *at = table;
	Elf64_Ehdr e;

	memcpy(&e, head, sizeof(e));
	memset(image, 0, sizeof(*image));
	image->dynamic = e.e_type == ET_DYN;
	image->entry = e.e_entry;
	image->align = PAGE;
	image->header_count = (uint16_t)(size / sizeof(Elf64_Phdr));
	for (unsigned i = 0; i < image->header_count; i++) {
		Elf64_Phdr p;

		memcpy(&p, at + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_LOAD && add_load(image, &p) != ELF_OK)
			return ELF_BROKEN;
		if (p.p_type == PT_INTERP) {
			if (p.p_filesz < 2 || p.p_filesz > PAGE ||
			    p.p_offset > INT64_MAX - PAGE)
				return ELF_BROKEN;
			image->interp_offset = p.p_offset;
			image->interp_size = p.p_filesz;
		}
		if (p.p_type == PT_GNU_STACK)
			image->exec_stack = p.p_flags & PF_X;
	}
	if (image->load_count == 0)
		return ELF_BROKEN;
	for (unsigned i = 0; i < image->load_count; i++) {
		const struct elf_load *load = &image->loads[i];

		if (e.e_phoff >= load->offset &&
		    e.e_phoff - load->offset + size <= load->filesz)
			image->headers = load->vaddr + e.e_phoff - load->offset;
	}
	return ELF_OK;
}
