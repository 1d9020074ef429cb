// The system calls that no instance needs and that reach the kernel's weak sides. Pure.
//
// A short list of refusals, not docker's long list of permissions: old applications call old things, and a short list
// costs no time at start. What a capability would permit anyway is refused only without that capability.

interface Group {
  /** Refused unless the instance has this capability. */
  unless?: string;
  names: readonly string[];
}

const refused: readonly Group[] = [
  {
    names: [
      "add_key", "request_key", "keyctl", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
      "nfsservctl", "uselib", "vm86", "vm86old", "query_module", "get_kernel_syms", "create_module", "_sysctl", "sysfs",
      "lookup_dcookie",
    ],
  },
  { unless: "CAP_SYS_MODULE", names: ["init_module", "finit_module", "delete_module"] },
  { unless: "CAP_SYS_BOOT", names: ["reboot", "kexec_load", "kexec_file_load"] },
  { unless: "CAP_SYS_TIME", names: ["settimeofday", "stime", "clock_settime", "clock_settime64"] },
  { unless: "CAP_SYS_PACCT", names: ["acct"] },
  { unless: "CAP_SYS_RAWIO", names: ["iopl", "ioperm"] },
  { unless: "CAP_DAC_READ_SEARCH", names: ["open_by_handle_at"] },
  { unless: "CAP_PERFMON", names: ["perf_event_open"] },
  {
    unless: "CAP_SYS_ADMIN",
    names: [
      "mount", "umount", "umount2", "pivot_root", "swapon", "swapoff", "quotactl", "quotactl_fd", "setns", "unshare", "bpf",
      "fanotify_init", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
    ],
  },
]; // biome-ignore format: a table

const errnoPermission = 1;
const errnoNotImplemented = 38;
const cloneNewUser = 0x1000_0000;

const architectures: Record<string, readonly string[]> = {
  x64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
};

export function seccompProfile(capabilities: readonly string[], architecture: string): object {
  const names = refused
    .filter((group) => group.unless === undefined || !capabilities.includes(group.unless))
    .flatMap((group) => group.names);
  const refuse = (list: readonly string[], errnoRet: number) => ({
    names: list,
    action: "SCMP_ACT_ERRNO",
    errnoRet,
  });
  const namespaces = capabilities.includes("CAP_SYS_ADMIN")
    ? []
    : [
        {
          ...refuse(["clone"], errnoPermission),
          args: [{ index: 0, value: cloneNewUser, valueTwo: cloneNewUser, op: "SCMP_CMP_MASKED_EQ" }],
        },
        // Its flags lie in memory, where a filter cannot look; C libraries then fall back to clone.
        refuse(["clone3"], errnoNotImplemented),
      ];
  return {
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: architectures[architecture] ?? [],
    syscalls: [refuse(names, errnoPermission), ...namespaces],
  };
}
