// Which system calls the programs of an instance may make. Pure.
//
// What is not listed is refused with EPERM and told to the supervisor (native/refusals). The list has what docker's has, with the same
// conditions, and beside it calls of old C libraries that do no harm. Calls that are newer than this list are answered with ENOSYS, as a
// kernel without them does: C libraries then take the older way.

export interface CallRules {
  /** Names that are allowed whatever their arguments are. */
  readonly allowed: ReadonlySet<string>;
  /** Names that are answered with this errno, without a word to the supervisor. */
  readonly errno: ReadonlyMap<string, number>;
  /** Names that are allowed where each of the conditions holds. */
  readonly conditional: ReadonlyMap<string, Condition>;
}

/** On argument 0. maskedZero: allowed where none of the bits is set; not: where it is another value; bitsOf: no bits but these, or all. */
export type Condition =
  | { readonly kind: "masked-zero"; readonly value: number }
  | { readonly kind: "not"; readonly value: number }
  | { readonly kind: "bits-of"; readonly value: number };

/** Counts what comes out of the same capabilities: filters that were compiled before are then not used any more. */
export const seccompVersion = 1;

const words = (text: string): string[] => text.trim().split(/\s+/);

/** No capability is needed for these, and none changes what they may do to others. */
const always = words(`
  accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod chown chown32 clock_adjtime
  clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close
  close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait
  epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64
  fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
  flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex
  futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents
  getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp
  getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname
  getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch
  io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill
  landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listxattr
  listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create
  memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 modify_ldt mprotect mq_getsetattr mq_notify
  mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv
  msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open
  pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64
  process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead
  readdir readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat
  rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
  rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
  sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
  sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop
  semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid
  setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid
  setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat
  shmctl shmdt shmget shutdown sigaction sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend
  socketcall socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill
  time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
  timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink
  unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
  arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2
`);

/** What C libraries before glibc called; newer profiles refuse them because nobody new needs them. */
const old = words(`
  nice oldfstat oldlstat oldolduname oldstat olduname sgetmask ssetmask sysfs ustat
`);

const withCapability: Readonly<Record<string, readonly string[]>> = {
  CAP_BPF: words("bpf"),
  CAP_DAC_READ_SEARCH: words("open_by_handle_at"),
  CAP_PERFMON: words("perf_event_open"),
  CAP_SYS_ADMIN: words(`
    bpf clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie lsm_get_self_attr lsm_list_modules
    lsm_set_self_attr mount mount_setattr move_mount open_tree open_tree_attr perf_event_open quotactl quotactl_fd setdomainname
    sethostname setns statmount syslog umount umount2 unshare`),
  CAP_SYS_BOOT: words("reboot"),
  CAP_SYS_CHROOT: words("chroot"),
  CAP_SYS_MODULE: words("delete_module finit_module init_module"),
  CAP_SYS_NICE: words("get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node"),
  CAP_SYS_PACCT: words("acct"),
  CAP_SYS_PTRACE: words("kcmp pidfd_getfd process_madvise"),
  CAP_SYS_RAWIO: words("ioperm iopl"),
  CAP_SYS_TIME: words("clock_settime clock_settime64 settimeofday stime"),
  CAP_SYS_TTY_CONFIG: words("vhangup"),
  CAP_SYSLOG: words("syslog"),
};

/** Numbers of calls that no kernel of the last fifteen years has. */
const gone = words(`
  afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx nfsservctl prof profil putpmsg query_module
  security stty _sysctl tuxcall ulimit vserver
`);

const notPermitted = 1;
const notImplemented = 38;

/** New cgroup, uts, ipc, user, pid, network and mount namespaces. */
const newNamespaces = 0x7e02_0000;
const addressFamilyVsock = 40;
/** PER_LINUX32, UNAME26, ADDR_NO_RANDOMIZE, ADDR_COMPAT_LAYOUT, READ_IMPLIES_EXEC, ADDR_LIMIT_3GB: what setarch gives to old programs. */
const personalities = 0x0866_0008;

/** The supervisor that is told of refusals: its socket, and the names that it is told of. */
export interface ToldRefusals {
  readonly socket: string | undefined;
  readonly names?: readonly string[];
}

/** For runtimes that compile the filter themselves. */
export function seccompJson(rules: CallRules, architecture: string, told?: ToldRefusals): object {
  const refused = (told?.names ?? []).filter(
    (name) => !rules.allowed.has(name) && !rules.conditional.has(name) && !rules.errno.has(name),
  );
  const conditional = [...rules.conditional].flatMap(([name, condition]) =>
    jsonConditions(condition).map((arg) => ({ names: [name], action: "SCMP_ACT_ALLOW", args: [arg] })),
  );
  const answered = [...rules.errno].map(([name, errnoRet]) => ({
    names: [name],
    action: "SCMP_ACT_ERRNO",
    errnoRet,
  }));
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: notPermitted,
    architectures: architectures[architecture] ?? [],
    ...(told?.socket === undefined ? {} : { listenerPath: told.socket }),
    syscalls: [
      { names: [...rules.allowed], action: "SCMP_ACT_ALLOW" },
      ...conditional,
      ...answered,
      ...(refused.length === 0 ? [] : [{ names: refused, action: "SCMP_ACT_NOTIFY" }]),
    ],
  };
}

/** Without x32, which no distribution was ever made of. */
const architectures: Record<string, readonly string[]> = {
  x64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
  arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
};

/** One of them has to hold. Bits of a set cannot be told by one comparison, single values can. */
function jsonConditions(condition: Condition): object[] {
  const { kind, value } = condition;
  if (kind === "masked-zero") return [{ index: 0, value, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }];
  if (kind === "not") return [{ index: 0, value, op: "SCMP_CMP_NE" }];
  const others = ~value >>> 0;
  return [
    { index: 0, value: others, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" },
    { index: 0, value: 0xffff_ffff, op: "SCMP_CMP_EQ" },
  ];
}

/** The default profile. */
export function defaultRules(capabilities: readonly string[]): CallRules {
  const allowed = new Set([...always, ...old, ...capabilities.flatMap((name) => withCapability[name] ?? [])]);
  const admin = capabilities.includes("CAP_SYS_ADMIN");
  const conditional = new Map<string, Condition>([
    ["personality", { kind: "bits-of", value: personalities }],
    ["socket", { kind: "not", value: addressFamilyVsock }],
  ]);
  if (admin) allowed.add("clone");
  else conditional.set("clone", { kind: "masked-zero", value: newNamespaces });
  // The flags of clone3 lie in memory, where a filter cannot look; C libraries then fall back to clone.
  const answered = admin ? gone : [...gone, "clone3"];
  return { allowed, conditional, errno: new Map(answered.map((name) => [name, notImplemented])) };
}

/** What init and the OCI runtime need once the filter is in force, and what every program of a C library begins and ends with. */
const ownCalls = words(`
  accept accept4 access arch_prctl bind brk capget capset chdir chmod chown clock_gettime clock_nanosleep clone close close_range connect dup dup2 dup3
  epoll_create1 epoll_ctl epoll_pwait epoll_wait execve execveat exit exit_group faccessat faccessat2 fchdir fchmod fchown fchownat fcntl
  fcntl64 fdatasync fork fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate futex getcwd getdents getdents64 getegid geteuid getgid getpgid
  getpid getppid getrandom getrlimit getsid getsockname getsockopt gettid gettimeofday getuid getxattr inotify_add_watch inotify_init1 inotify_rm_watch
  ioctl kill listen lseek _llseek lstat lstat64 madvise mkdir mkdirat mmap mmap2 mprotect mremap munmap nanosleep newfstatat open openat pause
  pipe pipe2 poll ppoll prctl pread64 prlimit64 pselect6 pwrite64 read readlink readlinkat readv recvfrom recvmsg rename renameat
  renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait
  sched_getaffinity sched_yield seccomp select sendmsg sendto set_robust_list set_thread_area set_tid_address setgid setgid32
  setgroups setgroups32 setpgid setpriority setregid setresgid setresgid32 setresuid setresuid32 setreuid setrlimit setsid setsockopt setuid
  setuid32 shutdown sigaltstack sigreturn signalfd4 socket socketpair stat stat64 statx symlink sysinfo tgkill time timerfd_create
  timerfd_settime tkill ugetrlimit umask uname unlink unlinkat utimensat vfork wait4 waitid waitpid write writev
`);

/** No call but these and ours, each as far as the default profile allows it. */
export function learnedRules(names: readonly string[], capabilities: readonly string[]): CallRules {
  const wide = defaultRules(capabilities);
  const wanted = new Set([...names, ...ownCalls]);
  return {
    allowed: new Set([...wide.allowed].filter((name) => wanted.has(name))),
    conditional: new Map([...wide.conditional].filter(([name]) => wanted.has(name))),
    errno: wide.errno,
  };
}
