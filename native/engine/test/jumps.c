// SPDX-License-Identifier: Apache-2.0
/*
 * Compares the code of the dynamic loader in this process with its file, and tells
 * in how many places it is another. All of them have to be jumps. `jumps NAME`: of
 * the library whose path has NAME in it, behind a few calls of the C library.
 * `jumps NAME first`: whether umask() begins with one before the program has called
 * anything.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

static const void *mapped(const char *path)
{
	int fd = open(path, O_RDONLY);
	const void *file;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	return file == MAP_FAILED ? NULL : file;
}

static int in_loader(void)
{
	const unsigned char *base = (void *)getauxval(AT_BASE);
	const Elf64_Phdr *p = (const void *)(base + sizeof(Elf64_Ehdr));
	const unsigned char *file = mapped("/lib64/ld-linux-x86-64.so.2");
	int found = 0;

	for (int i = 0; file && i < ((const Elf64_Ehdr *)base)->e_phnum; i++) {
		if (p[i].p_type != PT_LOAD || !(p[i].p_flags & PF_X))
			continue;
		found = compare(base + p[i].p_vaddr, file + p[i].p_offset,
				p[i].p_filesz);
	}
	return file ? found : -1;
}

static int in_library(const char *name)
{
	char line[600], rights[5], path[512];
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end, offset;
	const unsigned char *file;
	int found = -1;

	while (maps && found < 0 && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s %lx %*s %*s %511s", &start, &end,
			   rights, &offset, path) != 5 ||
		    !strstr(path, name) || rights[2] != 'x')
			continue;
		file = mapped(path);
		found = file ? compare((void *)start, file + offset,
				       end - start) : -1;
	}
	return found;
}

int main(int argc, char **argv)
{
	bool first = *(const unsigned char *)umask == 0xe9;
	int found;

	if (argc > 2) {
		found = first;
	} else if (argc < 2) {
		found = in_loader();
	} else {
		/* Each once. */
		getuid();
		geteuid();
		getgid();
		getegid();
		getppid();
		getsid(0);
		getpgid(0);
		found = in_library(argv[1]);
	}
	printf("%d\n", found);
	return found < 0;
}
