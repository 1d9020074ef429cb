// SPDX-License-Identifier: Apache-2.0
/*
 * The pure parts of the engine, with sanitizers: what they say of known input,
 * and that no input makes them read or write where they must not.
 *   pure ROUNDS [SEED]
 */
#include <linux/elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../clock-math.h"
#include "../elf.h"
#include "../filter-run.h"
#include "../options.h"
#include "../script.h"
#include "../site.h"
#include "../text.h"
#include "mutate.h"

#define CHECK(x) do { if (!(x)) { \
	fprintf(stderr, "line %d: %s\n", __LINE__, #x); exit(1); } } while (0)

static void test_script(void)
{
	static const struct { const char *head, *interpreter, *argument; } good[] = {
		{ "#!/bin/sh\n", "/bin/sh", "" },
		{ "#! /bin/sh  -e\t x \nrest", "/bin/sh", "-e\t x" },
		{ "#!/usr/bin/env node", "/usr/bin/env", "node" },
		{ "#!relative\r\n", "relative\r", "" },
	};
	char full[SCRIPT_HEAD + 1];
	struct script s;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK(script_read(good[i].head, strlen(good[i].head), &s) ==
		      SCRIPT_OK);
		CHECK(strcmp(s.interpreter, good[i].interpreter) == 0);
		CHECK(strcmp(s.argument, good[i].argument) == 0);
	}
	CHECK(script_read("#!", 2, &s) == SCRIPT_OK && !s.interpreter[0]);
	CHECK(script_read("#!  \n/bin/sh", 12, &s) == SCRIPT_BAD);
	CHECK(script_read("# !/bin/sh", 10, &s) == SCRIPT_NOT);
	CHECK(script_read("#", 1, &s) == SCRIPT_NOT);
	/* A path without an end within what the kernel reads. */
	memset(full, 'a', sizeof(full));
	memcpy(full, "#!", 2);
	CHECK(script_read(full, SCRIPT_HEAD, &s) == SCRIPT_BAD);
	full[10] = ' ';
	CHECK(script_read(full, SCRIPT_HEAD, &s) == SCRIPT_OK);
	CHECK(strlen(s.argument) == SCRIPT_HEAD - 12);
}

static unsigned int says(const struct sock_filter *code, unsigned int n)
{
	const struct seccomp_data data = { .nr = 7, .arch = 9,
		.instruction_pointer = 0x123456789aULL, .args = { 3, 1ULL << 40 } };

	return filter_run(code, n, &data);
}

#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define SAYS(value, ...) do { \
	const struct sock_filter code[] = { __VA_ARGS__ }; \
	CHECK(says(code, sizeof(code) / sizeof(code[0])) == (value)); } while (0)
#define ALU(op, k) BPF_STMT(BPF_ALU | (op) | BPF_K, k)
#define RET_A BPF_STMT(BPF_RET | BPF_A, 0)

static void test_filter_run(void)
{
	SAYS(7, LOAD(0), RET_A);
	SAYS(0x12, LOAD(12), RET_A);
	SAYS(256, LOAD(28), RET_A);
	SAYS(0, LOAD(61), RET_A);		/* beyond the data */
	SAYS(64, BPF_STMT(BPF_LD | BPF_LEN, 0), RET_A);
	SAYS(5, BPF_STMT(BPF_LD | BPF_IMM, 9), ALU(BPF_SUB, 4), RET_A);
	SAYS(12, LOAD(16), ALU(BPF_MUL, 4), RET_A);
	SAYS(1U << 31, BPF_STMT(BPF_LD | BPF_IMM, 1), ALU(BPF_LSH, 31), RET_A);
	SAYS(0xffffffff, BPF_STMT(BPF_LD | BPF_IMM, 1), ALU(BPF_NEG, 0), RET_A);
	/* By zero, which is in a register. */
	SAYS(0, LOAD(0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), RET_A);
	SAYS(10, LOAD(16), BPF_STMT(BPF_ST, 15), LOAD(0),
	     BPF_STMT(BPF_LDX | BPF_MEM, 15), BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
	     RET_A);
	SAYS(2, LOAD(0), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 7, 1, 0),
	     BPF_STMT(BPF_RET | BPF_K, 2), BPF_STMT(BPF_RET | BPF_K, 3));
	SAYS(3, LOAD(0), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 7, 1, 0),
	     BPF_STMT(BPF_RET | BPF_K, 2), BPF_STMT(BPF_RET | BPF_K, 3));
	SAYS(3, LOAD(0), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 2, 1, 0),
	     BPF_STMT(BPF_RET | BPF_K, 2), BPF_STMT(BPF_RET | BPF_K, 3));
	/* Without an end, and far beyond it. */
	SAYS(0, LOAD(0));
	SAYS(0, BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RET_A);
}

static void random_filter(void)
{
	struct sock_filter code[12];

	for (size_t i = 0; i < sizeof(code); i++)
		((unsigned char *)code)[i] = (unsigned char)random_below(256);
	says(code, sizeof(code) / sizeof(code[0]));
}

static void test_site(void)
{
	static const struct site_registers r = {
		.rax = 39, .r10 = 8, .r9 = 5, .r11 = 7, .rdx = 3,
		.stack = { 5, 7, 0, 0 },
	};
	static const struct { unsigned char b[16]; enum site_form form; size_t size; } known[] = {
		{ { 0, 0, 0, 0xb8, 39, 0, 0, 0, 0x0f, 5, 0x90 }, SITE_BEFORE, 5 },
		{ { 0, 0, 0, 0xb8, 38, 0, 0, 0, 0x0f, 5, 0x90 }, SITE_NONE, 0 },
		{ { 0, 0, 0x41, 0xba, 8, 0, 0, 0, 0x0f, 5 }, SITE_BEFORE, 6 },
		{ { 0, 0, 0x41, 0xb8, 39, 0, 0, 0, 0x0f, 5 }, SITE_NONE, 0 },
		{ { 0, 0x48, 0xc7, 0xc0, 39, 0, 0, 0, 0x0f, 5 }, SITE_BEFORE, 7 },
		{ { 0, 0, 0, 0xba, 3, 0, 0, 0, 0x0f, 5 }, SITE_BEFORE, 5 },
		{ { 0, 0, 0, 0x4c, 0x8b, 0x4c, 0x24, 8, 0x0f, 5 }, SITE_BEFORE, 5 },
		{ { 0, 0, 0, 0x4c, 0x8b, 0x4c, 0x24, 16, 0x0f, 5 }, SITE_NONE, 0 },
		{ { 0, 0, 0, 0x4c, 0x89, 0x5c, 0x24, 16, 0x0f, 5 }, SITE_BEFORE, 5 },
		{ { 0, 0, 0, 0, 0, 0, 0x31, 0xc0, 0x0f, 5, 0x48, 0x3d, 0, 0xf0,
		    0xff, 0xff }, SITE_OVER, 6 },
		{ { 0, 0, 0, 0xb8, 39, 0, 0, 0, 0x0f, 0x34 }, SITE_NONE, 0 },
	};
	unsigned char code[64] = { 0 };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct site s = site_find(known[i].b, &r);

		CHECK(s.form == known[i].form && s.size == known[i].size);
		/* Without registers the bytes alone say it. */
		s = site_proven(known[i].b);
		CHECK(s.form == (known[i].b[9] == 0x34 ? SITE_NONE :
				 known[i].form == SITE_OVER ? SITE_OVER : SITE_BEFORE));
	}
	/* jmp and jcc, short and long, before and behind. */
	CHECK(!site_jumped_into(code, sizeof(code), 32));
	code[10] = 0xeb;
	code[11] = 34 - 12;
	CHECK(site_jumped_into(code, sizeof(code), 32));
	code[11] = 32 - 12;
	CHECK(!site_jumped_into(code, sizeof(code), 32));
	/* Into the middle of an instruction: no jump, but bytes of another. */
	code[11] = 37 - 12;
	CHECK(!site_jumped_into(code, sizeof(code), 32));
	code[10] = 0;
	code[50] = 0x0f;
	code[51] = 0x84;
	memcpy(code + 52, "\xe0\xff\xff\xff", 4);
	CHECK(!site_jumped_into(code, sizeof(code), 32));
	CHECK(site_jumped_into(code, sizeof(code), 22));
}

static void test_clock(void)
{
	struct app_clock c = { 1000, 5000, RATE_ONE };
	int64_t s, ns;

	CHECK(clock_to_app(&c, 1500) == 5500 && clock_to_kernel(&c, 5500) == 1500);
	c.rate = RATE_ONE / 2;
	CHECK(clock_to_app(&c, 2000) == 5500 && clock_to_kernel(&c, 5500) == 2000);
	CHECK(clock_to_app(&c, 0) == 4500 && clock_to_kernel(&c, 4500) == 0);
	c.rate = 3 * RATE_ONE;
	CHECK(clock_to_kernel(&c, 5000 + 3000) == 2000);
	c.rate = 0;
	CHECK(clock_to_app(&c, INT64_MAX) == 5000);
	CHECK(clock_to_kernel(&c, 5001) == INT64_MAX);
	CHECK(clock_to_kernel(&c, 5000) == INT64_MIN);
	c = (struct app_clock){ INT64_MIN, INT64_MAX, RATE_ONE * 1000 };
	CHECK(clock_to_app(&c, INT64_MAX) == INT64_MAX);
	c.rate = 1;
	CHECK(clock_to_kernel(&c, INT64_MIN) == INT64_MIN);
	clock_split(-1, &s, &ns);
	CHECK(s == -1 && ns == 999999999);
	CHECK(clock_join(INT64_MAX, 5) == INT64_MAX);
}

static void test_options(void)
{
	char *words[] = { (char *)"--clock-offset=-1.5", (char *)"--node=n",
		(char *)"--resume=1,-2,3,2", (char *)"--argv0", (char *)"--",
		(char *)"f", NULL };
	char *wrong[][2] = {
		{ (char *)"--clock-rate=-1", (char *)"f" },
		{ (char *)"--clock-rate=1024", (char *)"f" },
		{ (char *)"--clock-offset=1.0000000001", (char *)"f" },
		{ (char *)"--clock-offset=99999999999", (char *)"f" },
		{ (char *)"--resume=1,2,3", (char *)"f" },
		{ (char *)"--no", (char *)"f" },
		{ (char *)"--node=0123456789012345678901234567890123456789012345"
		  "6789012345678901234", (char *)"f" },
	};
	char text[RESUME_SIZE];
	struct options o;

	CHECK(options_read(&o, words, 5 * NS_PER_S));
	CHECK(o.count == 5 && o.passed == 2 && o.flags == 2 && o.argv0);
	CHECK(o.policy.clock.app_base == -2 && o.policy.clock.rate == 3);
	options_resume(text, &o.policy.clock, 3);
	CHECK(strcmp(text, "--resume=1,-2,3,3") == 0);
	CHECK(options_read(&o, words + 5, 0) && o.count == 0);
	CHECK(!options_read(&o, words + 6, 0) && !o.wrong);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *list[] = { wrong[i][0], wrong[i][1], NULL };

		CHECK(!options_read(&o, list, 0) && o.wrong == wrong[i][0]);
	}
}

static void test_text(void)
{
	char text[24];
	int64_t v;

	CHECK(text_decimal(text, INT64_MIN) == 20 && text_number(text, &v) &&
	      v == INT64_MIN);
	CHECK(text_number("9223372036854775807", &v) && v == INT64_MAX);
	CHECK(!text_number("9223372036854775808", &v) && !text_number("", &v) &&
	      !text_number("-", &v) && !text_number("1x", &v));
	CHECK(!text_join(text, 4, "ab", "cd") && text_join(text, 5, "ab", "cd"));
	CHECK(strcmp(text_base("/a/b"), "b") == 0 && strcmp(text_base("b"), "b") == 0);
}

static void test_elf(const char *path)
{
	static unsigned char bytes[1 << 16];
	FILE *f = fopen(path, "rb");
	struct elf_image image;
	uint64_t offset;
	size_t size;

	CHECK(f && fread(bytes, 1, sizeof(bytes), f) > 1000);
	fclose(f);
	CHECK(elf_headers(bytes, 256, &offset, &size) == ELF_OK);
	CHECK(elf_read(bytes, bytes + offset, size, &image) == ELF_OK);
	CHECK(image.load_count >= 2 && image.headers && image.entry < image.high);
	bytes[18] = EM_386;
	CHECK(elf_headers(bytes, 256, &offset, &size) == ELF_I386);
	bytes[18] = EM_AARCH64;
	CHECK(elf_headers(bytes, 256, &offset, &size) == ELF_FOREIGN);
	CHECK(elf_headers("#!/bin/sh\n", 10, &offset, &size) == ELF_NOT);
}

/* What the loader trusts: segments lie in the image and in the address space,
 * and no sum of theirs overflows. */
static void check_image(const struct elf_image *image)
{
	CHECK(image->load_count > 0 && image->load_count <= ELF_LOADS_MAX);
	CHECK(image->low < image->high && image->high <= 1ULL << 47);
	CHECK(image->align >= 4096 && !(image->align & (image->align - 1)));
	CHECK(image->interp_size <= 4096);
	for (unsigned int i = 0; i < image->load_count; i++) {
		const struct elf_load *load = &image->loads[i];

		CHECK(load->vaddr >= image->low);
		CHECK(load->filesz <= load->memsz);
		CHECK(load->memsz <= image->high - load->vaddr);
		CHECK((int64_t)(load->offset + load->memsz) >= 0);
	}
	CHECK(!image->headers || (image->headers >= image->low &&
				  image->headers < image->high));
}

static bool fuzz_elf(const unsigned char *from, size_t n)
{
	unsigned char *file = mutated(from, &n), *table;
	struct elf_image image;
	uint64_t offset;
	bool taken = false;
	size_t size;

	if (elf_headers(file, n, &offset, &size) == ELF_OK && offset <= n &&
	    size <= n - offset) {
		table = malloc(size);
		CHECK(table);
		memcpy(table, file + offset, size);
		taken = elf_read(file, table, size, &image) == ELF_OK;
		if (taken)
			check_image(&image);
		free(table);
	}
	if (n > 0)
		site_jumped_into(file, n, random_below(n));
	free(file);
	return taken;
}

static bool fuzz_script(void)
{
	static const char *const heads[] = { "#!/bin/sh -e\n", "#! \t/usr/bin/env"
		" node\0\r\nrest", "#!\n", "#!relative/with/no/end/of/its/line" };
	const char *head = heads[random_below(4)];
	size_t n = strlen(head) + 1;
	unsigned char *file = mutated((const unsigned char *)head, &n);
	struct script script;
	bool taken = script_read((char *)file, n, &script) == SCRIPT_OK;

	CHECK(!taken || strlen(script.interpreter) < n);
	free(file);
	return taken;
}

/* Damaged programs and scripts. */
static void fuzz(long rounds)
{
	static const char *const seeds[] = { "/proc/self/exe", "/bin/sh",
		"/bin/busybox", "/lib64/ld-linux-x86-64.so.2" };
	static unsigned char bytes[4][1024];
	long programs = 0, scripts = 0;
	time_t began = time(NULL);
	unsigned int count = 0;

	for (unsigned int i = 0; i < 4; i++) {
		FILE *f = fopen(seeds[i], "rb");

		count += f && fread(bytes[count], 1024, 1, f) == 1;
		if (f)
			fclose(f);
	}
	CHECK(count > 0);
	for (long round = 0; round < rounds; round++) {
		programs += fuzz_elf(bytes[random_below(count)], 1024);
		scripts += fuzz_script();
		random_filter();
	}
	printf("%ld damaged programs, %ld taken; as many scripts, %ld taken; %ld s\n",
	       rounds, programs, scripts, (long)(time(NULL) - began));
}

int main(int argc, char **argv)
{
	random_state = argc > 2 ? (uint32_t)atoi(argv[2]) | 1 : 1;
	test_text();
	test_script();
	test_site();
	test_filter_run();
	test_clock();
	test_options();
	test_elf("/proc/self/exe");
	fuzz(argc > 1 ? atol(argv[1]) : 1000);
	puts("ok");
	return 0;
}
