// SPDX-License-Identifier: Apache-2.0
/*
 * Maps the vDSO that is embedded here, and finds the functions of the
 * kernel's. The image is one segment, as C libraries take no other; its last
 * page is the data, writable and not executable.
 */
#include <linux/elf.h>
#include <linux/time.h>

#include "engine.h"
#include "sys.h"
#include "text.h"
#include "vdso.h"

#define SYMBOLS_MAX 64
#define KERNEL_VDSO_MAX (4 * PAGE)

__asm__(".section .rodata\n.balign 4096\n"
	".globl vdso_image\nvdso_image:\n"
	".incbin \"vdso.so\"\n"
	".previous\n");
extern const char vdso_image[];

static unsigned long kernel_vdso;

struct tables {
	const Elf64_Sym *symbols;
	const char *names;
};

static bool find_tables(unsigned long base, struct tables *t)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)base;
	const Elf64_Phdr *p = (const Elf64_Phdr *)(base + e->e_phoff);
	unsigned long bias = base;
	const Elf64_Dyn *d = NULL;

	t->symbols = NULL;
	t->names = NULL;
	for (unsigned int i = 0; i < e->e_phnum; i++) {
		if (p[i].p_type == PT_LOAD)
			bias = base + p[i].p_offset - p[i].p_vaddr;
		else if (p[i].p_type == PT_DYNAMIC)
			d = (const Elf64_Dyn *)(base + p[i].p_offset);
	}
	for (; d && d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_SYMTAB)
			t->symbols = (const void *)(bias + d->d_un.d_ptr);
		if (d->d_tag == DT_STRTAB)
			t->names = (const void *)(bias + d->d_un.d_ptr);
	}
	return t->symbols && t->names;
}

/* The symbols end where their names begin, as every linker lays them out. */
static unsigned long function(const char *name)
{
	struct tables t;
	unsigned long count;

	if (!kernel_vdso || !find_tables(kernel_vdso, &t))
		return 0;
	count = ((unsigned long)t.names - (unsigned long)t.symbols) /
		sizeof(*t.symbols);
	for (unsigned long i = 0; i < count && i < SYMBOLS_MAX; i++) {
		if (t.symbols[i].st_shndx != SHN_UNDEF &&
		    strcmp(t.names + t.symbols[i].st_name, name) == 0)
			return kernel_vdso + t.symbols[i].st_value;
	}
	return 0;
}

int vdso_is_kernels(unsigned long address)
{
	return kernel_vdso && address - kernel_vdso < KERNEL_VDSO_MAX;
}

long vdso_none(long id, void *ts)
{
	(void)id;
	(void)ts;
	return -ENOSYS;
}

int64_t vdso_asked(void)
{
	struct timespec ts = { 0, 0 };

	SYS(__NR_clock_gettime, CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/*
 * Where nothing may become executable that was writable (PR_SET_MDWE), it is
 * executable from the beginning, and written as patch.c writes code. Where that
 * is forbidden as well there is no vDSO: C libraries then make calls.
 */
static bool map_written(unsigned long at, unsigned long size)
{
	long memory, n;

	if (IS_ERROR(SYS(__NR_mmap, at, size, PROT_READ | PROT_EXEC, MAP_PRIVATE |
			 MAP_ANONYMOUS | MAP_FIXED, -1, 0)))
		return false;
	memory = SYS(__NR_openat, AT_FDCWD, "/proc/self/mem",
		     O_RDWR | O_CLOEXEC, 0);
	if (memory < 0)
		return false;
	n = SYS(__NR_pwrite64, memory, vdso_image, size, at);
	SYS(__NR_close, memory);
	return n == (long)size;
}

unsigned long vdso_start(unsigned long kernel)
{
	/* The file goes on behind its only segment, which is the first header. */
	const Elf64_Phdr *p = (const Elf64_Phdr *)(const void *)
		(vdso_image + sizeof(Elf64_Ehdr));
	unsigned long size = PAGE_UP(p->p_filesz);
	struct vdso_data *data;
	long at;

	kernel_vdso = kernel;
	at = SYS(__NR_mmap, 0, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (IS_ERROR(at))
		return 0;
	memcpy((void *)at, vdso_image, p->p_filesz);
	data = (struct vdso_data *)((unsigned long)at + size - PAGE);
	data->clock_gettime = (void *)function("__vdso_clock_gettime");
	data->clock_getres = (void *)function("__vdso_clock_getres");
	data->getcpu = (void *)function("__vdso_getcpu");
	data->getrandom = (void *)function("__vdso_getrandom");
	if (data->clock_gettime)
		at_hand.kernel_clock = data->clock_gettime;
	data->told = data->clock_gettime ? CLOCKS_KNOWN : 0;
	data->changed = engine.policy.clock_on ? data->told & CLOCKS_WALL : 0;
	data->page = engine.clock_page;
	if (SYS(__NR_mprotect, at, size - PAGE, PROT_READ | PROT_EXEC) < 0 &&
	    !map_written((unsigned long)at, size - PAGE)) {
		SYS(__NR_munmap, at, size);
		return 0;
	}
	return (unsigned long)at;
}
