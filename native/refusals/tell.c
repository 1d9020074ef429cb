// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/audit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "die.h"
#include "tell.h"

#define LOG_MAX (1 << 20)
#define KINDS_MAX 512
#define TOLD_ALWAYS 10

/* A call that a program makes, and how often it did. */
struct kind {
	uint64_t hash;
	uint64_t count;
};

static struct kind kinds[KINDS_MAX];
static const char *instance;
static int log_fd = -1;

void tell_open(const char *path, const char *id)
{
	instance = id;
	log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd < 0)
		die_errno("cannot write %s", path);
}

static uint64_t hash_of(const char *exe, uint32_t arch, int nr)
{
	uint64_t hash = 0xcbf29ce484222325ULL ^ arch ^ ((uint64_t)nr << 32);

	for (; *exe; exe++)
		hash = (hash ^ (unsigned char)*exe) * 0x100000001b3ULL;
	return hash | 1;
}

/* count() - how often it was seen, this time included; where the table is full
 * the kinds that did not fit count as one. */
static uint64_t count(uint64_t hash)
{
	size_t at = hash % KINDS_MAX;

	for (size_t i = 0; i < KINDS_MAX; i++) {
		struct kind *k = &kinds[(at + i) % KINDS_MAX];

		if (k->hash == 0)
			k->hash = hash;
		if (k->hash == hash)
			return ++k->count;
	}
	return ++kinds[at].count;
}

static bool worth_telling(uint64_t n)
{
	return n <= TOLD_ALWAYS || (n & (n - 1)) == 0;
}

/* quote() - as a JSON string; a byte that does not print as \u00XX. */
static void quote(char *to, size_t room, const char *text)
{
	size_t used = 0;

	for (; *text && used + 7 < room; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			used += (size_t)snprintf(to + used, room - used,
						 "\\u%04x", c);
		else
			to[used++] = (char)c;
	}
	to[used] = 0;
}

static const char *abi_name(uint32_t arch)
{
	switch (arch) {
	case AUDIT_ARCH_X86_64:
		return "amd64";
	case AUDIT_ARCH_I386:
		return "i386";
	case AUDIT_ARCH_AARCH64:
		return "arm64";
	case AUDIT_ARCH_ARM:
		return "arm";
	default:
		return "unknown";
	}
}

static void write_line(const struct seccomp_notif *n, const char *exe,
		       uint64_t times)
{
	const unsigned long long *a = (const void *)n->data.args;
	char quoted[EXE_MAX * 6], line[EXE_MAX * 6 + 512];
	struct stat st;
	struct timespec now;
	struct tm tm;
	char when[32];
	int length;

	if (fstat(log_fd, &st) < 0 || st.st_size >= LOG_MAX)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	quote(quoted, sizeof(quoted), exe);
	length = snprintf(line, sizeof(line),
			  "{\"time\":\"%s.%03ldZ\",\"instance\":\"%s\","
			  "\"pid\":%u,\"exe\":\"%s\",\"abi\":\"%s\","
			  "\"number\":%d,\"arguments\":[\"0x%llx\",\"0x%llx\","
			  "\"0x%llx\",\"0x%llx\",\"0x%llx\",\"0x%llx\"],"
			  "\"count\":%llu}\n",
			  when, now.tv_nsec / 1000000, instance, n->pid, quoted,
			  abi_name(n->data.arch), n->data.nr, a[0], a[1], a[2],
			  a[3], a[4], a[5], (unsigned long long)times);
	if (length > 0 && write(log_fd, line, (size_t)length) < 0)
		return;		/* a full disk: the refusal itself stands */
}

void tell(const struct seccomp_notif *n, const char *exe)
{
	uint64_t times = count(hash_of(exe, n->data.arch, n->data.nr));

	if (worth_telling(times))
		write_line(n, exe, times);
}
