// What is known of an instance: the record that `create` writes and only `rename` and `update` replace.
import { TranshipError } from "../base/errors.ts";
import { readJson, writeFileAtomic } from "../host/files.ts";
import type { FileRedirection, NetworkRedirection } from "../package/descriptor.ts";
import type { Made } from "../redirect/mount-plan.ts";
import type { InstanceElements } from "./elements.ts";
import type { HealthRule } from "./health/rule.ts";
import type { InstanceIdentity } from "./identity/identity.ts";
import type { InstancePaths } from "./instance-paths.ts";
import type { Limits } from "./limits/limits.ts";
import type { PortRequest } from "./network/ports.ts";
import type { GivenProfile } from "./oci/given-profile.ts";
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
  /** In process: one user of this host stands for all of the package's: see inprocess/users.ts. */
  readonly users?: "view";
  /** In process: the kernel holds it: see inprocess/confine.ts. */
  readonly confine?: true;
  readonly limits: Limits;
  /** Ids of this host in a user namespace of its own. Absent: it has none. */
  readonly userns?: LentIds;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  /** What the package needs of docker's set. Absent: all of it. */
  readonly capabilities?: readonly string[];
  readonly readOnly: boolean;
  /** Of its own ipc namespace, by name ("kernel.msgmax"). Absent: the kernel's defaults. */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Which filter of system calls. Absent: default. */
  readonly syscalls?: SyscallProfile;
  /** Of the learned profile. */
  readonly calls?: readonly string[];
  /** The filter itself, where it was given. */
  readonly filter?: GivenProfile;
  /** Nothing gives its processes more rights than they have. Absent: set-user-id programs do. */
  readonly noNewPrivileges?: true;
  /** Further groups of its command and of what is executed in it: names of the package, or numbers. */
  readonly groupAdd?: readonly string[];
  /** Of this host. Absent: none. */
  readonly devices?: readonly InstanceDevice[];
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
  /** Bottom first: of the packages that it links to, and its own. */
  readonly diffIds: readonly string[];
  /** What it links to, the lowest one first. */
  readonly linked?: ReadonlyArray<{ readonly id: string; readonly digest: string }>;
}

export type NetworkMode = "bridge" | "host" | "none" | "container";

/** What resolv.conf says in place of the host's. Nothing of a kind: as the host has it. */
export interface Resolver {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  /** As the line `options` of resolv.conf has them, such as "ndots:1". */
  readonly options?: readonly string[];
}

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
  /** Name servers and domains to search that were asked for. Absent: the host's. */
  readonly resolver?: Resolver;
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
  /** Taken away by `update`; its position stays that of nobody else. */
  readonly removed?: true;
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

export interface InstanceDevice {
  /** On the host: a device, or a directory of them. */
  readonly source: string;
  readonly target: string;
  /** Some of r (read), w (write) and m (make the node). */
  readonly access: string;
}

export interface InstanceSecret {
  /** Path inside, or a variable (delivery env). */
  readonly target: string;
  /** Path on the host. */
  readonly source: string;
  /** Of a file, as it is to be seen inside. None of the three: as it is on the host; else what is missing is 0, 0 and 0444. */
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
}

/** When init's log is rotated: bytes (0: never), and how many files are kept. */
export interface InstanceLog {
  readonly maxSize?: number;
  readonly maxFiles?: number;
}

/** given: a file of the caller. */
export type SyscallProfile = "default" | "learned" | "off" | "given";

export interface RestartRule {
  readonly policy: "no" | "on-failure" | "always" | "unless-stopped";
  /** on-failure: at most so often; 0 = without end. */
  readonly attempts: number;
}

export function readRecord(paths: InstancePaths): InstanceRecord | undefined {
  const value = readJson(paths.record) as InstanceRecord | undefined;
  if (value === undefined) return undefined;
  if (value.tranship !== "instance" || typeof value.id !== "string") {
    throw new TranshipError("E_STATE_CORRUPT", `${paths.record} is no record of an instance`, {
      hint: "`tranship rm --force` with its id removes what is left of it",
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
