/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled descriptor: docs/internals/init-bin.md. What is decoded here
 * has been checked in full; nobody after plan_decode() looks at bytes again.
 */
#ifndef TRANSHIP_INIT_PLAN_H
#define TRANSHIP_INIT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_NO_END 0xffffffffU

enum startup { STARTUP_AUTO, STARTUP_MANUAL, STARTUP_DISABLED };
enum service_type { TYPE_SIMPLE, TYPE_FORKING, TYPE_ONESHOT };
enum readiness_kind { READY_NONE, READY_PORT, READY_FILE, READY_EXEC,
		      READY_LOG };
enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS };
enum initial { INITIAL_NONE, INITIAL_COPY, INITIAL_SYNC };
enum delivery { DELIVERY_MOUNT, DELIVERY_ENV };
enum socket_type { SOCKET_STREAM, SOCKET_DATAGRAM, SOCKET_SEQPACKET };
enum given { GIVEN_LISTEN, GIVEN_INPUT };

/* NULL-terminated, as execve() wants it. */
struct strings {
	size_t count;
	char **list;
};

struct variable {
	char *name;
	char *value;
};

struct variables {
	size_t count;
	struct variable *list;
};

struct directory {
	char *path;
	uint32_t mode, uid, gid;
	bool empty;	/* of all but directories, at each start */
};

struct volume {
	char *path;
	enum initial initial;
	bool promised;
};

struct secret {
	char *name;
	char *reason;
	enum delivery delivery;
	bool required;
};

struct program {
	char *name;
	char *cwd;		/* "" = as it is; as with user */
	char *user;
	struct strings command;
	struct variables env;
};

struct service_plan {
	char *name;
	uint16_t program;
	enum startup startup;
	bool essential;
	enum service_type type;
	char *pid_file;
	size_t after_count;
	uint16_t *after;	/* each smaller than its own index */
	enum readiness_kind ready;
	uint32_t ready_timeout;	/* all times in milliseconds */
	uint16_t ready_port;
	char *ready_text;	/* path or regular expression */
	struct strings ready_exec;
	enum restart_policy policy;
	uint32_t attempts;
	uint32_t backoff;
	int stop_signal;
	uint32_t stop_timeout;
	struct strings stop_command;
};

struct socket_plan {
	uint16_t service;
	enum socket_type type;
	enum given given;
	char *name;		/* for LISTEN_FDNAMES: no colon, <= 255 */
	char *address;		/* IP, "" for any; /path; @abstract name */
	uint16_t port;		/* 0: not of the internet */
	uint32_t mode, uid, gid;	/* of a path */
	bool ipv6_only;
};

#define CRON_ANY_DAY 1
#define CRON_ANY_WEEKDAY 2
#define CRON_FIXED 4
#define CRON_AT_START 8

struct cron {
	uint64_t minutes;
	uint32_t hours, days;
	uint16_t months;
	uint8_t weekdays, flags;
};

struct schedule_plan {
	char *name;
	char *expression;
	uint16_t program;
	struct cron cron;
};

struct plan {
	uint64_t log_max_size;
	uint32_t log_max_files;
	struct variables env;
	size_t directory_count, volume_count, secret_count, program_count,
	       service_count, schedule_count, socket_count;
	struct directory *directories;
	struct volume *volumes;
	struct secret *secrets;
	struct program *programs;
	struct service_plan *services;
	struct schedule_plan *schedules;
	struct socket_plan *sockets;
};

/**
 * plan_decode() - Check and decode @size bytes
 * @out:	Filled on success; lives until the process ends
 *
 * Return: NULL, or what is wrong with the bytes
 */
const char *plan_decode(const unsigned char *bytes, size_t size,
			struct plan *out);

/**
 * plan_read() - Read and decode the file @path
 *
 * Return: NULL, or what is wrong; errno is ENOENT where there is no file
 */
const char *plan_read(const char *path, struct plan *out);

/* plan_print() - the decoded plan as JSON on stdout, as InitPlan has it */
void plan_print(const struct plan *plan);

const struct program *plan_program(const struct plan *plan, const char *name);

#endif
