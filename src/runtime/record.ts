// What is known of an instance: the record that `create` writes and only `rename` and `update` replace, and where its files are.
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import { readJson, writeFileAtomic } from "../host/files.ts";
import type { StateRoot } from "../host/state-root.ts";
import type { FileRedirection, NetworkRedirection } from "../package/descriptor.ts";
import type { Made } from "../redirect/mounts.ts";
import type { InstanceElements } from "./elements.ts";
import type { HealthRule } from "./health/rule.ts";
import type { InstanceIdentity } from "./identity/identity.ts";
import type { Limits } from "./limits/limits.ts";
import type { PortRequest } from "./network/ports.ts";
import type { LentIds } from "./userns/lend.ts";

/** What holds an instance: namespaces of the kernel, or native/engine in each of its processes. */
export type EngineName = "namespace" | "inprocess";

export interface InstanceRecord {
  readonly tranship: "instance";
  readonly version: 1;
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  readonly image: InstanceImage;
  /** Which descriptor counts: a file's path (`run --descriptor`), or "package" where the package's was changed since its capture. Absent: as captured. */
  readonly descriptor?: string;
  readonly engine: EngineName;
  /** What init is told to do: [] = all services, ["@program", ...], or a command. */
  readonly command: readonly string[];
  readonly terminal: boolean;
  readonly interactive: boolean;
  /** NAME=value, in order. */
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  /** "" = root. */
  readonly user: string;
  readonly hostname: string;
  /** Absent in records of before 2026-12. */
  readonly identity?: InstanceIdentity;
  readonly network: InstanceNetwork;
  readonly mounts: readonly InstanceMount[];
  readonly secrets: readonly InstanceSecret[];
  /** Absent: none. */
  readonly redirections?: InstanceRedirections;
  /** What the kernel does not virtualise. Absent: its own. */
  readonly elements?: InstanceElements;
  /** In process: names of programs that are the host's own. Absent: none. */
  readonly excludes?: readonly string[];
  /** In process: what leads where is written down. */
  readonly logsRedirections?: boolean;
  readonly limits: Limits;
  /** Ids of this host in a user namespace of its own. Absent: it has none. */
  readonly userns?: LentIds;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  /** What the package needs of docker's set. Absent: all of it. */
  readonly capabilities?: readonly string[];
  readonly readOnly: boolean;
  /** Which filter of system calls. Absent: default. */
  readonly syscalls?: SyscallProfile;
  /** Of the learned profile. */
  readonly calls?: readonly string[];
  readonly restart: RestartRule;
  readonly stop: { readonly signal: string; readonly timeout: number };
  /** How it is found out whether it is well. Absent: nobody looks. */
  readonly health?: HealthRule;
  readonly labels: Readonly<Record<string, string>>;
  /** Where it differs from the package's. */
  readonly log?: InstanceLog;
  readonly autoRemove: boolean;
  /** How each start is watched for what the package lacks: a mode of native/trace. Absent: it is not. */
  readonly observe?: string;
  /** Where it fetches what it lacks; such an instance is observed too, in the mode seccomp. */
  readonly tether?: TetherChoice;
}

/** A machine, and how it is reached. */
export interface TetherChoice {
  readonly machine: string;
  readonly sshOptions: readonly string[];
  readonly push: boolean;
  readonly sudo: boolean;
  readonly partition: number | undefined;
}

export interface InstanceImage {
  /** As it was asked for. */
  readonly reference: string;
  /** Of the image manifest, or of the index where the package has one. */
  readonly digest: string;
  readonly diffIds: readonly string[];
}

export type NetworkMode = "bridge" | "host" | "none" | "container";

/** One network of an instance. */
export interface Attachment {
  /** Its name. */
  readonly network: string;
  /** Tells its device on the host from those of the instance's other networks. */
  readonly index: number;
  readonly address: string;
  readonly address6: string | null;
  readonly mac: string;
  /** Further names on that network. */
  readonly aliases: readonly string[];
}

export interface InstanceNetwork {
  /** bridge: on networks of the state root, the default one or others. */
  readonly mode: NetworkMode;
  /** container: the id of the instance whose network it shares. */
  readonly container?: string;
  /** bridge: in the order of its devices. Absent in records of before 2026-12: see attachmentsOf(). */
  readonly attachments?: readonly Attachment[];
  /** Of the first of them. */
  readonly address: string | null;
  readonly mac: string | null;
  /** In its own namespace: those of its package and of --connect. Absent: none. */
  readonly redirections?: readonly InstanceNetworkRedirection[];
  /** Port 0 on the host: chosen anew at each start. */
  readonly ports: readonly PortRequest[];
}

export interface InstanceNetworkRedirection extends NetworkRedirection {
  readonly by: "package" | "command line";
}

export interface InstanceMount {
  readonly kind: "bind" | "volume" | "tmpfs";
  /** bind: path on the host; volume: its name or id. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** Goes with the instance. */
  readonly anonymous: boolean;
  /** An empty volume is seeded with what the image has there. */
  readonly seed: boolean;
}

/** How the redirections of files are carried out; decided once, so that every start does the same. */
export interface InstanceRedirections {
  /** What lies inside of another one comes after it. The position of a rule names its directory, see redirect/layer.ts. */
  readonly rules: readonly InstanceRedirection[];
  /** Paths of the host that may be seen. */
  readonly host: readonly string[];
}

export interface InstanceRedirection extends FileRedirection {
  readonly by: "package" | "command line";
  readonly made: Made | InEngine;
}

/** Carried out by native/engine, by the rule of this place in its policy. */
export interface InEngine {
  readonly as: "engine";
  readonly at: string;
  /** The package's part: a path of the instance; null: none. */
  readonly source: string | null;
  /** The host's own path that it shows; null: none. */
  readonly host: string | null;
}

export interface InstanceSecret {
  /** Path inside, or a variable (delivery env). */
  readonly target: string;
  /** Path on the host. */
  readonly source: string;
}

/** When init's log is rotated: bytes (0: never), and how many files are kept. */
export interface InstanceLog {
  readonly maxSize?: number;
  readonly maxFiles?: number;
}

export type SyscallProfile = "default" | "learned" | "off";

export interface RestartRule {
  readonly policy: "no" | "on-failure" | "always" | "unless-stopped";
  /** on-failure: at most so often; 0 = without end. */
  readonly attempts: number;
}

/** Written by whoever starts an instance, before anything of it exists; removed by nobody but `rm`. */
export interface LaunchRecord {
  bootId: string;
  startedAt: string;
  starter: { pid: number; startTime: string };
  /** foreground: belongs to its starter. detached: acknowledged once its id was given to the caller. */
  mode: "foreground" | "detached";
  acknowledged: boolean;
  /** What an end before the acknowledgement does: `run` removes, `start` leaves. */
  created: boolean;
  /** The OCI runtime that was chosen. */
  runtime: string;
  ports: PortRequest[];
  /** Nothing is taken on of another machine: start --new-identity. */
  newIdentity?: boolean;
  /** Starts by the restart rule since the last one by a person. */
  restarts: number;
  /** By the restart rule or after a reboot: one that dies before it was acknowledged is tried again. */
  byRule?: boolean;
  /** When it began by a clock that nobody sets: see monotonicNow(). Absent in records of before 2026-12. */
  startedClock?: number;
  /** How much of its breaches had been written down by then: bytes, all of them ASCII. */
  breachesAt?: number;
  /** Milliseconds that the restart rule waited before it. */
  delay?: number;
}

export interface EndRecord {
  status: number | null;
  endedAt: string;
  reason: string;
  /** Something in it was killed for want of memory. */
  oomKilled?: boolean;
}

/** Every path of an instance. */
export interface InstancePaths {
  readonly directory: string;
  readonly record: string;
  readonly lock: string;
  readonly launch: string;
  readonly ended: string;
  readonly stopAsked: string;
  readonly upper: string;
  readonly work: string;
  /** Of an instance whose disk is limited: the file that holds what it writes, and where its launch mounts that. See limits/disk.ts. */
  readonly diskImage: string;
  readonly disk: string;
  readonly run: string;
  readonly oci: string;
  readonly bundle: string;
  readonly files: string;
  /** What redirections are made of: see redirect/layer.ts. */
  readonly redirect: string;
  readonly monitorLog: string;
  /** Made by the monitor when its chain has ended, also where PID 1 never spoke. */
  readonly chainEnded: string;
  readonly runtimeLog: string;
  /** System calls that were refused: a JSON object a line, see native/refusals. */
  readonly refused: string;
  /** Where it came up against its limits: a JSON object a line, see native/breaches. */
  readonly breaches: string;
  /** Records of native/trace, one file a start: see observe.ts. */
  readonly observed: string;
  /** init.bin of the descriptor that counts, where it is another than the one in the layers. */
  readonly plan: string;
  /** There once another instance has shared its network: then more is to be done when it is removed. */
  readonly shared: string;
  /** There while it is paused, and perhaps a moment before and after: see pause.ts. */
  readonly paused: string;
  /** There while what its record says of its networks may not be in force yet: see connect.ts. */
  readonly rewiring: string;
  /** There while new limits of the record may not be in force yet: see update.ts. */
  readonly updating: string;
  /** What was fetched from the source: see tether-log.ts. */
  readonly tethered: string;
  /** Of an instance of the in-process engine: its own copy of the package, the engine that it runs on, its policy.bin and its environment. */
  readonly tree: string;
  readonly engine: string;
  readonly policy: string;
  readonly environment: string;
  /** Its init: "PID STARTTIME". */
  readonly main: string;
  /** What led where, a file a process. */
  readonly led: string;
  /** native/tree, for looking at its files as it sees them. */
  readonly look: string;
  /** Where the tracer asks for what is missing, while it runs. */
  readonly tetherSocket: string;
}

export function instancePaths(root: StateRoot, id: string): InstancePaths {
  return pathsIn(join(root.instances, id));
}

export function pathsIn(directory: string): InstancePaths {
  return {
    directory,
    record: `${directory}/instance.json`,
    lock: `${directory}/lock`,
    launch: `${directory}/launch.json`,
    ended: `${directory}/ended.json`,
    stopAsked: `${directory}/stop-asked`,
    upper: `${directory}/upper`,
    work: `${directory}/work`,
    diskImage: `${directory}/disk.img`,
    disk: `${directory}/disk`,
    run: `${directory}/run`,
    oci: `${directory}/oci`,
    bundle: `${directory}/bundle`,
    files: `${directory}/files`,
    redirect: `${directory}/redirect`,
    monitorLog: `${directory}/monitor.log`,
    chainEnded: `${directory}/chain-ended`,
    runtimeLog: `${directory}/runtime.log`,
    refused: `${directory}/refused.jsonl`,
    breaches: `${directory}/breaches.jsonl`,
    observed: `${directory}/observed`,
    plan: `${directory}/init.bin`,
    shared: `${directory}/shared`,
    paused: `${directory}/paused`,
    rewiring: `${directory}/rewiring`,
    updating: `${directory}/updating`,
    tethered: `${directory}/tethered.jsonl`,
    tree: `${directory}/root`,
    engine: `${directory}/engine`,
    policy: `${directory}/policy.bin`,
    environment: `${directory}/environment`,
    main: `${directory}/main`,
    led: `${directory}/led`,
    look: `${directory}/look`,
    tetherSocket: `${directory}/tether.sock`,
  };
}

export function readRecord(paths: InstancePaths): InstanceRecord | undefined {
  const value = readJson(paths.record) as InstanceRecord | undefined;
  if (value === undefined) return undefined;
  if (value.tranship !== "instance" || typeof value.id !== "string") {
    throw new TranshipError("E_STATE_CORRUPT", `${paths.record} is no record of an instance`, {
      hint: "remove the instance with `tranship rm --force`",
    });
  }
  if (value.version !== 1) {
    throw new TranshipError("E_STATE_VERSION", `${paths.record} has version ${String(value.version)}`, {
      hint: "use the newer Tranship that wrote it",
    });
  }
  return value;
}

/** Replaces the record of an instance. Call with the instance's lock held. */
export function writeRecord(paths: InstancePaths, record: InstanceRecord): void {
  writeFileAtomic(paths.record, `${JSON.stringify(record, null, 2)}\n`, { volatile: record.autoRemove });
}
