// Flags of run, create and update that limit an instance: docker's, and the rates of its network.
import { TranshipError } from "../../base/errors.ts";
import { parseRate, parseSize } from "../../base/units.ts";
import { leastDisk } from "../../runtime/limits/disk.ts";
import {
  type DiskRate,
  type Limits,
  parseSet,
  type RateKind,
  type Ulimit,
  ulimitNames,
} from "../../runtime/limits/limits.ts";
import { list, type OptionValues, text } from "../verb.ts";

type Parse = (flag: string, value: string) => unknown;

/** Option, limit, how it is read. */
const kinds: readonly (readonly [option: string, flag: string, limit: keyof Limits, parse: Parse])[] = [
  ["memory", "--memory", "memory", size],
  ["memorySwap", "--memory-swap", "memorySwap", (flag, value) => (value === "-1" ? null : size(flag, value))],
  ["memoryReservation", "--memory-reservation", "memoryReservation", size],
  ["cpus", "--cpus", "cpus", number(/^\d+(\.\d+)?$/, 0.001, 1e6)],
  ["cpuShares", "--cpu-shares", "cpuShares", number(/^\d+$/, 2, 262_144)],
  ["cpusetCpus", "--cpuset-cpus", "cpusetCpus", members],
  ["cpusetMems", "--cpuset-mems", "cpusetMems", members],
  ["pidsLimit", "--pids-limit", "pids", number(/^\d+$/, 1, 4_194_304)],
  ["blkioWeight", "--blkio-weight", "blkioWeight", number(/^\d+$/, 10, 1000)],
  ["shmSize", "--shm-size", "shmSize", size],
  ["oomScoreAdj", "--oom-score-adj", "oomScoreAdj", number(/^-?\d+$/, -1000, 1000)],
  ["ingressBandwidth", "--ingress-bandwidth", "ingress", rate],
  ["egressBandwidth", "--egress-bandwidth", "egress", rate],
];

/** Only what was given. `taken`: the words that take a limit away. */
export function limits(options: OptionValues, taken: RegExp = /^$/): Partial<Limits> {
  const found: Record<string, unknown> = {};
  for (const [option, flag, limit, parse] of kinds) {
    const value = text(options, option);
    if (value !== undefined) found[limit] = taken.test(value) ? null : parse(flag, value);
  }
  const share = shareOf(options, taken);
  if (share !== undefined) found.cpus = share;
  return found;
}

/** --cpu-quota of --cpu-period as processors: the share is what counts, the kernel is given a period of 100 ms. */
function shareOf(options: OptionValues, taken: RegExp): number | null | undefined {
  const [quota, period] = [text(options, "cpuQuota"), text(options, "cpuPeriod")];
  if (quota === undefined && period === undefined) return undefined;
  if (text(options, "cpus") !== undefined)
    throw usage("conflicting options: --cpus and --cpu-quota", "--cpus 0.5 is --cpu-quota 50000");
  if (quota === undefined)
    throw usage("--cpu-period alone limits nothing", "give --cpu-quota too, or --cpus");
  const whole = number(/^\d+$/, 1000, 1_000_000)("--cpu-period", period ?? "100000") as number;
  if (taken.test(quota)) return null;
  return (number(/^\d+$/, 1000, 1e12)("--cpu-quota", quota) as number) / whole;
}

/** As docker: memory and swap together, so memory has to be known. */
export function checkSwap({ memory, memorySwap }: Partial<Limits>): void {
  if (typeof memorySwap !== "number") return;
  if (typeof memory !== "number")
    throw usage("--memory-swap needs --memory", "it counts memory and swap together");
  if (memorySwap < memory)
    throw usage("--memory-swap is less than --memory", "it counts memory and swap together");
}

/** What `update` cannot change is asked for at the beginning. */
export function fixedLimits(options: OptionValues): Partial<Limits> {
  const ulimits = list(options, "ulimit").map(ulimit);
  const rates = rateOptions.flatMap(([option, kind]) =>
    list(options, option).map((word) => diskRate(kind, word)),
  );
  const disk = list(options, "storageOpt").map(storage).at(-1);
  return {
    ...(ulimits.length === 0 ? {} : { ulimits }),
    ...(rates.length === 0 ? {} : { rates }),
    ...(disk === undefined ? {} : { disk }),
  };
}

const rateOptions = [
  ["deviceReadBps", "read-bps"],
  ["deviceWriteBps", "write-bps"],
  ["deviceReadIops", "read-iops"],
  ["deviceWriteIops", "write-iops"],
] as const;

function size(flag: string, value: string): number {
  const bytes = parseSize(value);
  if (bytes > 0) return bytes;
  throw usage(`${flag}: not a size above 0: ${JSON.stringify(value)}`, `write for example ${flag} 512m`);
}

function rate(_flag: string, value: string): number {
  return parseRate(value);
}

function number(pattern: RegExp, least: number, most: number): Parse {
  return (flag, value) => {
    if (pattern.test(value) && Number(value) >= least && Number(value) <= most) return Number(value);
    throw usage(
      `${flag}: not a number from ${least} to ${most}: ${JSON.stringify(value)}`,
      "`tranship run --help` says what it counts",
    );
  };
}

function members(flag: string, value: string): string {
  if (parseSet(value) !== undefined) return value;
  throw usage(`${flag}: not a list: ${JSON.stringify(value)}`, `write for example ${flag} 0-3,8`);
}

function ulimit(entry: string): Ulimit {
  const [, name = "", soft = "", hard] =
    /^([a-z]+)=(-1|\d+|unlimited)(?::(-1|\d+|unlimited))?$/.exec(entry) ?? [];
  if (ulimitNames[name] === undefined) {
    const names = Object.keys(ulimitNames).join(", ");
    throw usage(
      `not a ulimit: ${JSON.stringify(entry)}`,
      `write NAME=SOFT[:HARD], where NAME is one of ${names}`,
    );
  }
  const value = (word: string): number | null => (/^\d+$/.test(word) ? Number(word) : null);
  const one = { name, soft: value(soft), hard: value(hard ?? soft) };
  if (one.hard !== null && (one.soft === null || one.soft > one.hard))
    throw usage(`--ulimit ${entry}: the soft limit is above the hard one`, "write NAME=SOFT:HARD");
  if (name === "nofile" && one.hard !== null && one.hard < leastFiles)
    throw usage(`--ulimit ${entry}: the OCI runtime itself needs ${leastFiles} open files`, "give more");
  return one;
}

/** crun fails below 20 while it starts an instance; runc needs more. */
const leastFiles = 32;

function diskRate(kind: RateKind, entry: string): DiskRate {
  const [, path = "", value = ""] = /^(\/[^:]+):(.+)$/.exec(entry) ?? [];
  const count = kind.endsWith("iops")
    ? Number(/^\d+$/.exec(value)?.[0] ?? 0)
    : path === ""
      ? 0
      : parseSize(value);
  if (count > 0) return { kind, path, rate: count };
  const example = kind.endsWith("iops") ? "/dev/sda:1000" : "/dev/sda:10mb";
  throw usage(
    `not a rate of a disk: ${JSON.stringify(entry)}`,
    `write for example --device-${kind} ${example}`,
  );
}

function storage(entry: string): number {
  const value = /^size=(.+)$/.exec(entry)?.[1];
  if (value === undefined)
    throw usage(`not an option of storage: ${JSON.stringify(entry)}`, "write --storage-opt size=10g");
  const bytes = parseSize(value);
  if (bytes >= leastDisk) return bytes;
  throw usage(`--storage-opt size=${value}: a disk has at least 4 MiB`, "write for example size=10g");
}

function usage(message: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}
