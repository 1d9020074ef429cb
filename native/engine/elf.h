/* SPDX-License-Identifier: Apache-2.0 */
/* What of an ELF file a loader needs: pure, the file's bytes come as a head. */
#ifndef TRANSHIP_ENGINE_ELF_H
#define TRANSHIP_ENGINE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_LOADS_MAX 64

enum elf_verdict {
	ELF_OK,
	ELF_NOT,	/* no ELF file at all: a script, text, anything */
	ELF_I386,	/* of the 32-bit processor */
	ELF_FOREIGN,	/* of another processor, or a kind nobody can start */
	ELF_BROKEN,	/* contradicts itself */
};

struct elf_load {
	uint64_t offset, vaddr, filesz, memsz;
	int prot;	/* PROT_* */
};

struct elf_image {
	bool dynamic;		/* ET_DYN: may stand anywhere */
	bool exec_stack;	/* PT_GNU_STACK asks for a stack that executes */
	uint64_t entry;		/* as written, before any move */
	uint64_t headers;	/* the program headers as mapped; 0 = not mapped */
	uint16_t header_count;
	uint64_t low, high;	/* bounds of all segments, page by page */
	uint64_t align;		/* the largest alignment asked, at least a page */
	uint64_t interp_offset, interp_size;	/* size 0 = none */
	unsigned load_count;
	struct elf_load loads[ELF_LOADS_MAX];
};

/* elf_headers() - where the program headers lie in the file, from its first
 * @n bytes; ELF_OK only where *offset and *size are worth reading. */
enum elf_verdict elf_headers(const void *head, size_t n, uint64_t *offset,
			     size_t *size);

/* elf_read() - the image that @head (at least 64 bytes) and its program
 * headers @table of @size bytes describe. */
enum elf_verdict elf_read(const void *head, const void *table, size_t size,
			  struct elf_image *image);

#endif
