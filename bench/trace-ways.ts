// How a command is watched: our modes and the peers.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";

export interface Way {
  name: string;
  /** The peer that it needs. */
  program?: string;
  /** Descriptor 3 of what is run is a file for the records. */
  wrap: (scratch: string, command: readonly string[]) => string[];
}

const native = join(import.meta.dirname, "../native/bin");

function tracer(mode: string): Way {
  return {
    name: mode,
    wrap: (_scratch, command) => [join(native, "trace"), "--fd", "3", "--mode", mode, "--", ...command],
  };
}

function peer(name: string, words: (scratch: string) => string[]): Way {
  const program = name.split(" ")[0] ?? "";
  const ours = name === "native" || name === "witness" || name === "floor";
  return { name, ...(ours ? {} : { program }), wrap: (scratch, command) => [...words(scratch), ...command] };
}

/** care writes its archive in the end: that counts. Its seccomp mode kills programs on newer kernels. */
function care(scratch: string): string[] {
  const archive = join(scratch, "care.tar");
  rmSync(archive, { force: true });
  return ["env", "PROOT_NO_SECCOMP=1", "care", "-o", archive];
}

/** What `notify` cannot be faster than: a supervisor of the same calls that records nothing. Built by `buildFloor()`. */
const floorProgram = (scratch: string): string => join(scratch, "notify-floor");

export function buildFloor(scratch: string): void {
  execFileSync("cc", ["-O2", "-o", floorProgram(scratch), join(import.meta.dirname, "notify-floor.c")]);
}

export const ways: readonly Way[] = [
  peer("native", () => []),
  tracer("seccomp"),
  tracer("notify"),
  peer("floor", (scratch) => [floorProgram(scratch)]),
  tracer("plain"),
  peer("witness", () => [
    ..."unshare --mount --propagation private".split(" "),
    join(native, "witness"),
    ..."--fd 3 --".split(" "),
  ]),
  peer("strace seccomp", (scratch) => [
    ..."strace -f --seccomp-bpf -e trace=%file,%process -o".split(" "),
    join(scratch, "strace.txt"),
  ]),
  peer("strace", (scratch) => [..."strace -f -o".split(" "), join(scratch, "strace.txt")]),
  peer("reprozip", (scratch) => [
    ..."reprozip trace --dont-identify-packages --dont-find-inputs-outputs -w -d".split(" "),
    join(scratch, "reprozip"),
  ]),
  peer("care", care),
  peer("proot", () => ["proot"]),
];

/** What issue and guide promise: the ratio of the medians to the untraced run. */
export interface TraceGoal {
  workload: RegExp;
  way: string;
  most: number;
}

export const goals: readonly TraceGoal[] = [
  { workload: /^find/, way: "seccomp", most: 4 },
  { workload: /^gcc/, way: "seccomp", most: 3 },
  { workload: /^nginx/, way: "seccomp", most: 2.5 },
  { workload: /^initdb/, way: "seccomp", most: 1.3 },
  { workload: /^redis/, way: "seccomp", most: 1.2 },
  { workload: /^find/, way: "notify", most: 2.7 },
  { workload: /^gcc/, way: "notify", most: 1.8 },
  { workload: /^nginx/, way: "notify", most: 2 },
  { workload: /^initdb/, way: "notify", most: 1.1 },
  { workload: /^redis/, way: "notify", most: 1.2 },
  { workload: /^(nginx|redis|pgbench)/, way: "witness", most: 1.2 },
];
