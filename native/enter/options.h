/* SPDX-License-Identifier: Apache-2.0 */
/* The command line as data: what to enter, a list of mount operations to be
 * carried out in order, and the process that follows. */
#ifndef TRANSHIP_ENTER_OPTIONS_H
#define TRANSHIP_ENTER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum op_type {
	OP_OVERLAY,
	OP_BIND,
	OP_BIND_FROM,		/* out of another mount namespace */
	OP_BIND_WITHIN,		/* of what is mounted when its turn comes */
	OP_TMPFS,
	OP_PROC,
	OP_DEV,
	OP_SYS,
	OP_DIR,
	OP_HIDE_CGROUP2,
	OP_DISK,		/* a file system in a file */
	OP_IDMAP,		/* with owners as ids of the user namespace */
};

struct overlay {
	const char **lowers;	/* topmost first */
	/* For each lower one NULL, or the directory that is its root: it is
	 * looked up there when the overlay's turn comes. */
	const char **roots;
	bool has_roots;
	size_t count;
	const char *source;	/* its name in mount tables, or NULL */
	const char *upper;	/* NULL: read-only, or scratch */
	const char *work;
	bool scratch;		/* upper and work on a tmpfs of its own */
	bool sync_off;		/* the "volatile" mount option */
	bool renames;		/* of directories of a lower one, as elsewhere */
	bool links;		/* hard links stay such when they are written */
	bool nodev;
	bool nosuid;
	bool read_only;
	/* While mounting: lowers, then upper and work where given. */
	int *fds;
};

struct op {
	enum op_type type;
	const char *source;
	const char *target;
	bool read_only;
	mode_t mode;
	pid_t pid;		/* OP_BIND_FROM */
	const char *root;	/* OP_BIND_WITHIN: the root of source */
	struct overlay overlay;
	int fd;			/* opened source or detached mount, else -1 */
	bool is_dir;
};

enum net { NET_HOST, NET_NONE, NET_OWN, NET_JOIN };
enum ns_kind { NS_NET, NS_IPC, NS_UTS, NS_CGROUP, NS_PID, NS_MNT,
	       NS_USER, NS_KINDS };

#define VETHS_MAX 16
#define ADDRESSES_MAX 32

struct veth {
	const char *name;	/* the end on the host */
	const char *bridge;
	const char *inside;	/* the other end; NULL: the first ethN that is
				 * free */
	const char *mac;
	bool hairpin;		/* what comes from it may go back to it */
	const char *addresses[ADDRESSES_MAX];
	const char *gateways[2];
	size_t address_count;
	size_t gateway_count;
	uint64_t ingress;	/* bytes a second; 0: as fast as it goes */
	uint64_t egress;
};

#define GROUPS_MAX 64
#define KEEP_FDS_MAX 64
#define CGROUPS_MAX 16
#define SETTINGS_MAX 64

struct config {
	struct op *ops;
	size_t op_count;
	bool has_root;		/* an operation mounts "/" */
	bool old_mount_api;

	enum net net;
	pid_t target;		/* the process that `join` names */
	pid_t join[NS_KINDS];	/* 0: not joined */
	const char *root;
	const char *hostname;
	const char *domainname;	/* launch: of a new uts namespace */
	/* launch: see userns.h; NULL: the caller's. */
	const char *userns_dir;
	unsigned int userns_first;
	unsigned int userns_count;
	int userns_fd;
	struct veth veths[VETHS_MAX];	/* in their order: eth0, eth1 ... */
	size_t veth_count;
	/* For the own network namespace: nftables rules in a file, addresses of
	 * its loopback device, packets that may come in for 127.0.0.1, and
	 * settings of the kernel, each NAME=VALUE. */
	const char *rules;
	const char *settings[SETTINGS_MAX];
	size_t setting_count;
	const char *lo_addresses[ADDRESSES_MAX];
	size_t lo_count;
	bool route_localnet;
	/* The network namespace to be joined must be this one: a pid may have
	 * got another owner since it was looked up. 0: whatever it is. */
	unsigned long expect_net;
	/* rewire: devices of the host to be removed, and default routes. */
	const char *unplugs[VETHS_MAX];
	size_t unplug_count;
	const char *routes[2];
	size_t route_count;

	pid_t parent;		/* 0: not named */
	bool survive_parent;
	bool linger;
	int wait_fd;
	int stages_fd;		/* launch: what to do comes in parts from here */
	const char *base;	/* what relative directories of overlays are */
	int base_fd;		/* below; AT_FDCWD: where we are */
	bool null_stdin;

	const char *chdir;
	bool set_user;
	uid_t uid;
	gid_t gid;
	gid_t groups[GROUPS_MAX];
	size_t group_count;
	bool limit_caps;
	uint64_t caps;
	bool no_new_privs;
	bool new_session;
	bool cloned_runtime;	/* see process_exec() */
	/* refusals, its socket, log and instance; see beside.c */
	const char *refusals[4];
	const char *cgroups[CGROUPS_MAX];	/* directories that it goes into */
	size_t cgroup_count;
	char **watcher;		/* who watches the limits, and its words; or NULL */
	size_t watcher_count;
	int exec_fd;
	int keep_fds[KEEP_FDS_MAX];
	size_t keep_count;
	char **argv;
};

enum verb { VERB_SANDBOX, VERB_JOIN, VERB_LAUNCH, VERB_REWIRE };

/* parse_options() - everything after the verb; fails in words. The environment
 * options act on the environment of this process at once. */
void parse_options(struct config *c, enum verb verb, char **args);

/*
 * parse_stage() - the same for one part of what --stages announces: the number
 * of its words in decimal and NUL, then each word and NUL. @c gets the
 * operations of this part alone, and its command if it has one. Return: false
 * where the other end was closed before a part was whole.
 */
bool parse_stage(struct config *c);

#endif
