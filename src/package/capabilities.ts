// Which of the capabilities that containers have by default an application has no use for, told by the system calls that it made. Pure.

/** What docker gives by default: enough for servers that bind low ports and change their user. Without CAP_. */
export const defaultCapabilities = [
  "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
  "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
] as const; // biome-ignore format: a table

/**
 * Without one of these calls the capability cannot be used. The others (files of others, ids, signals) may be used by any call, and by init, so
 * they stay.
 */
const usedBy: Readonly<Record<string, readonly string[]>> = {
  MKNOD: ["mknod", "mknodat"],
  NET_RAW: ["socket", "socketcall"],
  NET_BIND_SERVICE: ["bind", "socketcall"],
  SETFCAP: ["setxattr", "lsetxattr", "fsetxattr", "setxattrat"],
  SETPCAP: ["capset", "prctl"],
  SYS_CHROOT: ["chroot"],
  AUDIT_WRITE: ["socket", "socketcall"],
};

/** `calls`: names of all system calls that it made. */
export function learnedCapabilities(calls: readonly string[]): string[] {
  const made = new Set(calls);
  return defaultCapabilities
    .filter((name) => usedBy[name]?.some((call) => made.has(call)) !== false)
    .toSorted();
}
