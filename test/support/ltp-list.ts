// Which tests of the Linux Test Project concern the in-process engine, and where it is known to differ from the kernel. Not in it: what would change this machine (its clock, modules, swap,
// quotas), and calls that the engine leaves to the kernel by their nature (memory policy, keys, bpf).
/** Directories of testcases/kernel/syscalls. */
export const groups: readonly string[] = [
  // paths
  "access", "chdir", "chmod", "chown", "chroot", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3",
  "execl", "execle", "execlp", "execv", "execve", "execveat", "execvp", "faccessat", "faccessat2", "fchdir", "fchmod", "fchmodat", "fchmodat2",
  "fchown", "fchownat", "fcntl", "fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat", "fstatat", "fstatfs", "ftruncate",
  "futimesat", "getcwd", "getdents", "getxattr", "inotify", "inotify_init", "lchown", "lgetxattr", "link", "linkat", "listxattr", "llistxattr",
  "lremovexattr", "lseek", "lstat", "mkdir", "mkdirat", "mknod", "mknodat", "name_to_handle_at", "nftw", "open", "open_by_handle_at", "openat", "openat2",
  "pathconf", "pipe", "pipe2", "pread", "pwrite", "read", "readdir", "readlink", "readlinkat", "readv", "realpath", "removexattr", "rename", "renameat",
  "renameat2", "rmdir", "sendfile", "setxattr", "stat", "statfs", "statvfs", "statx", "symlink", "symlinkat", "truncate", "umask", "unlink",
  "unlinkat", "ustat", "utime", "utimensat", "utimes", "utils", "write", "writev",
  // sockets
  "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recv", "recvfrom", "recvmmsg", "recvmsg", "send", "sendmmsg",
  "sendmsg", "sendto", "setsockopt", "shutdown", "socket", "socketcall", "socketpair",
  // time
  "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "futex", "getitimer", "gettimeofday", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink",
  "nanosleep", "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime", "timerfd", "times",
  // signals
  "abort", "kill", "pause", "rt_sigaction", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sgetmask",
  "sigaction", "sigaltstack", "sighold", "signal", "signalfd", "signalfd4", "sigpending", "sigprocmask", "sigrelse", "sigsuspend", "sigtimedwait", "sigwait",
  "sigwaitinfo", "ssetmask", "tgkill", "tkill",
  // processes
  "arch_prctl", "brk", "clone", "clone3", "exit", "exit_group", "fork", "get_robust_list", "getcpu", "getpgid", "getpgrp", "getpid", "getppid", "getrandom",
  "getsid", "gettid", "mmap", "mprotect", "mremap", "munmap", "personality", "prctl", "sbrk", "set_robust_list", "set_tid_address", "setpgid", "setpgrp",
  "setsid", "vfork", "wait", "wait4", "waitid", "waitpid",
  // waiting
  "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd", "eventfd2", "poll", "ppoll", "pselect", "select",
  // names and ids
  "getdomainname", "getegid", "geteuid", "getgid", "getgroups", "gethostid", "gethostname", "getresgid", "getresuid", "getuid", "newuname", "setegid",
  "setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid", "setresuid", "setreuid", "setuid", "sysctl", "sysinfo", "uname",
]; // biome-ignore format: a table

/** Test, and why it ends otherwise in the engine. */
export const differing: Readonly<Record<string, string>> = {
  clone301: "clone3() is ENOSYS: C libraries turn to clone()",
  clone303: "the same",
  clone304: "the same",
  creat07: "a program that runs may be written to: the kernel guards only what it executes itself",
  execve04: "a program that somebody has open for writing is started: who writes cannot be asked",
  prctl06: "a program that may be executed but not read cannot be loaded",
  sysctl01: "sysctl(2) is answered, which the kernel has no more",
  sysctl03: "the same",
  sysctl04: "the same",
};

/** What sets the clock, or takes very long. */
export const tooMuch: readonly string[] = [
  "leapsec01",
  "fork13",
  "fork14",
  "getdents01",
  "inotify06",
  "inotify09",
  "rename11",
  "renameat01",
];
