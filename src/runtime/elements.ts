// Critical system elements of an instance: which there are, and how native/engine is told. Under namespaces the engine is the loader of all its programs, and does
// nothing but that.
import { TranshipError } from "../base/errors.ts";
import type { ClockElement, Elements, UnameElement } from "../package/descriptor.ts";
import { clockRule } from "../redirect/clock.ts";

/** Flags; each goes before what the package says. */
export type ElementOptions = Partial<Pick<Elements, "clock" | "uname">>;

export interface InstanceElements {
  readonly clock: ClockElement | null;
  readonly uname: UnameElement | null;
  readonly vsyscall: Elements["vsyscall"];
  readonly loopback?: "fast";
}

/** As uname(2) has room. */
const longestName = 64;

/** undefined: the kernel's own. E_DESCRIPTOR_INVALID for values that cannot be. */
export function chosenElements(
  options: ElementOptions,
  declared: Elements | undefined,
): InstanceElements | undefined {
  const clock = options.clock ?? declared?.clock ?? null;
  const uname = { ...declared?.uname, ...options.uname };
  for (const [name, value] of Object.entries(uname)) checkName(name, value);
  const vsyscall = declared?.vsyscall ?? "auto";
  const names = Object.values(uname).some((value) => value !== undefined);
  const rule = clockRule(clock);
  const fast = declared?.loopback === "fast";
  if (rule === undefined && !names && vsyscall !== "on" && !fast) return undefined;
  return {
    clock: rule === undefined ? null : clock,
    uname: names ? uname : null,
    vsyscall,
    ...(fast ? { loopback: "fast" } : {}),
  };
}

function checkName(name: string, value: unknown): void {
  if (value === undefined) return;
  const bytes = typeof value === "string" ? new TextEncoder().encode(value).length : 0;
  if (bytes > 0 && bytes <= longestName && !/[\0-\x1f\x7f]/.test(String(value))) return;
  throw new TranshipError("E_DESCRIPTOR_INVALID", `uname ${name} cannot be ${JSON.stringify(value)}`, {
    hint: `write 1 to ${longestName} bytes without control characters`,
  });
}

/** What the engine calls by itself, for a filter that has only what programs were seen to make. */
export const engineCalls: readonly string[] = [
  "arch_prctl", "brk", "clock_gettime", "clone", "close", "dup3", "execve", "exit", "exit_group", "faccessat", "faccessat2", "fcntl",
  "fgetxattr", "fstat", "fstatfs", "getcpu",
  "getegid", "geteuid", "getpid", "gettid", "gettimeofday", "lseek", "membarrier", "memfd_create", "mmap", "mprotect", "mremap", "munmap", "newfstatat",
  "openat", "personality", "prctl", "pread64", "pwrite64", "read", "readlinkat", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
  "rt_sigsuspend", "rt_tgsigqueueinfo", "seccomp", "sigaltstack", "stat", "tgkill", "time", "uname", "write",
]; // biome-ignore format: a table

/** And for fast loopback beside them. */
export const loopbackCalls: readonly string[] = [
  "accept4", "bind", "connect", "epoll_ctl", "getsockname", "getpeername", "getsockopt", "listen", "poll", "prlimit64",
  "recvfrom", "sched_yield", "sendto", "setsockopt", "shutdown", "socket",
]; // biome-ignore format: a table

/** Where the engine is in an instance of the namespace engine. */
export const enginePath = "/.tranship/engine";

/**
 * The engine and its options; a program follows. The clock is told as it runs since the start of the instance, so that what is started later sees the same. Set-id
 * and 32-bit programs, which it cannot run, are left to the kernel.
 */
export function elementWords(elements: InstanceElements, startedAt: string): string[] {
  const { release, version, machine } = elements.uname ?? {};
  const names = Object.entries({ release, version, machine }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}=${value}`],
  );
  const page = elements.vsyscall === "on" ? ["--vsyscall"] : [];
  const loopback = elements.loopback === "fast" ? ["--fast-loopback"] : [];
  return [enginePath, "--leave", ...names, ...page, ...loopback, ...clockWords(elements, startedAt)];
}

/** The clock as it runs since `startedAt`. */
export function clockWords(elements: InstanceElements | undefined, startedAt: string): string[] {
  const clock = runningClock(elements, BigInt(Date.parse(startedAt)) * 1_000_000n);
  return clock === undefined
    ? []
    : ["--clock-rate=1", `--resume=${clock.kernel},${clock.app},${clock.rate},0`];
}

/** What the application's clock shows (`app`) when the kernel's shows `kernel`, in nanoseconds; rate: 32.32 fixed point. */
export interface RunningClock {
  readonly kernel: bigint;
  readonly app: bigint;
  readonly rate: bigint;
}

/** As it begins at `start`. undefined: the kernel's own. */
export function runningClock(
  elements: InstanceElements | undefined,
  start: bigint,
): RunningClock | undefined {
  const rule = clockRule(elements?.clock ?? null);
  if (rule === undefined) return undefined;
  const app = rule.mode === "offset" ? start + rule.nanoseconds : rule.nanoseconds;
  return { kernel: start, app, rate: rule.mode === "frozen" ? 0n : rule.rate };
}
