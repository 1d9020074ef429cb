// SPDX-License-Identifier: Apache-2.0
/*
 * Compares the code of the dynamic loader in this process with its file, and tells
 * in how many places it is another. All of them have to be jumps.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

static int compare(const unsigned char *in_memory, const unsigned char *in_file,
		   size_t n)
{
	int found = 0;

	for (size_t i = 0; i < n; i++) {
		if (in_memory[i] == in_file[i])
			continue;
		if (in_memory[i] != 0xe9)
			return -1;
		found++;
		i += 7;
	}
	return found;
}

int main(void)
{
	const unsigned char *base = (void *)getauxval(AT_BASE);
	const Elf64_Phdr *p = (const void *)(base + sizeof(Elf64_Ehdr));
	int fd = open("/lib64/ld-linux-x86-64.so.2", O_RDONLY), found = 0;
	const unsigned char *file;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 1;
	file = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	for (int i = 0; i < ((const Elf64_Ehdr *)base)->e_phnum; i++) {
		if (p[i].p_type == PT_LOAD && p[i].p_flags & PF_X)
			found = compare(base + p[i].p_vaddr, file + p[i].p_offset,
					p[i].p_filesz);
	}
	printf("%d\n", found);
	return found < 0;
}
