// The limits of an instance, as its record has them. Pure.

export interface Limits {
  /** Bytes. null in any of them, and absent: no limit. */
  readonly memory: number | null;
  readonly cpus: number | null;
  readonly pids: number | null;
  /** Bytes of memory and swap together, as docker counts; never below `memory`. */
  readonly memorySwap?: number | null;
  /** Bytes that are left to it when the host runs short. */
  readonly memoryReservation?: number | null;
  /** Weight against others when the processors are busy, 2 to 262144; 1024 is what everybody has. */
  readonly cpuShares?: number | null;
  /** Lists such as "0-3,8". */
  readonly cpusetCpus?: string | null;
  readonly cpusetMems?: string | null;
  /** Weight against others when a disk is busy, 10 to 1000. */
  readonly blkioWeight?: number | null;
  readonly rates?: readonly DiskRate[] | null;
  readonly ulimits?: readonly Ulimit[] | null;
  /** Bytes of /dev/shm. */
  readonly shmSize?: number | null;
  readonly oomScoreAdj?: number | null;
  /** Bytes of what it writes outside of its volumes. */
  readonly disk?: number | null;
  /** Bytes a second that come to it, and that it sends. */
  readonly ingress?: number | null;
  readonly egress?: number | null;
}

export type RateKind = "read-bps" | "write-bps" | "read-iops" | "write-iops";

/** How fast a disk may be used: bytes or operations a second. */
export interface DiskRate {
  readonly kind: RateKind;
  /** The node of the disk on this host. */
  readonly path: string;
  readonly rate: number;
}

/** A limit of each process; null: none. */
export interface Ulimit {
  /** As docker names it: "nofile". */
  readonly name: string;
  readonly soft: number | null;
  readonly hard: number | null;
}

/** What is asked for, before what the package has. A limit that is null on the command line was taken away there. */
export function chosenLimits(asked: Partial<Limits>, ofPackage: Partial<Limits>): Limits {
  const merged = {
    memory: null,
    cpus: null,
    pids: null,
    ...ofPackage,
    ...asked,
    ulimits: mergeUlimits(asked.ulimits ?? [], ofPackage.ulimits ?? []),
  };
  const set = Object.entries(merged).filter(
    ([name, value]) => plain.has(name) || (value !== null && !(Array.isArray(value) && value.length === 0)),
  );
  return Object.fromEntries(set) as unknown as Limits;
}

/** Always in a record. */
const plain = new Set(["memory", "cpus", "pids"]);

function mergeUlimits(asked: readonly Ulimit[], ofPackage: readonly Ulimit[]): Ulimit[] {
  const named = new Map([...ofPackage, ...asked].map((one) => [one.name, one]));
  return [...named.values()];
}

/** The names of ulimits, docker's and `as`, in the kernel's words. */
export const ulimitNames: Readonly<Record<string, string>> = {
  as: "RLIMIT_AS",
  core: "RLIMIT_CORE",
  cpu: "RLIMIT_CPU",
  data: "RLIMIT_DATA",
  fsize: "RLIMIT_FSIZE",
  locks: "RLIMIT_LOCKS",
  memlock: "RLIMIT_MEMLOCK",
  msgqueue: "RLIMIT_MSGQUEUE",
  nice: "RLIMIT_NICE",
  nofile: "RLIMIT_NOFILE",
  nproc: "RLIMIT_NPROC",
  rss: "RLIMIT_RSS",
  rtprio: "RLIMIT_RTPRIO",
  rttime: "RLIMIT_RTTIME",
  sigpending: "RLIMIT_SIGPENDING",
  stack: "RLIMIT_STACK",
};

/** The members of a list such as "0-3,8"; undefined for what is no such list. */
export function parseSet(text: string): number[] | undefined {
  const found: number[] = [];
  for (const part of text.split(",")) {
    const [, first = "", last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    if (first === "") return undefined;
    const end = Number(last ?? first);
    if (end < Number(first)) return undefined;
    for (let at = Number(first); at <= end; at++) found.push(at);
  }
  return found;
}

/** cgroup v2 counts from 1 to 10000 where v1 counts shares from 2 to 262144; as the OCI runtimes turn one into the other. */
export function weightOfShares(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262142);
}

/** Of the pair that links it to a bridge. */
export function ratesOfNetwork({ ingress, egress }: Limits): { ingress?: number; egress?: number } {
  return { ...(ingress ? { ingress } : {}), ...(egress ? { egress } : {}) };
}
