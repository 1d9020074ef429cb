// What native/enter can be asked for, as a value, and its command line. Nothing else in TypeScript but enter-network.ts knows the options.
// docs/internals/enter.md explains them. Paths, arguments and environment are byte strings.
import type { ByteString } from "../formats/entry.ts";
import { type LaunchNetwork, networkWords } from "./enter-network.ts";

/**
 * A directory of the host; or (launch alone) one that is looked up with `root` as its root when the overlay is mounted, after the mounts before it.
 * No link leads out of that root.
 */
export type LowerDirectory = ByteString | { root: ByteString; path: ByteString };

export interface OverlayMount {
  kind: "overlay";
  target: ByteString;
  /** Topmost first. */
  lowers: readonly LowerDirectory[];
  /** Directories of one file system; "scratch": a tmpfs that dies with the namespace; absent: read-only. */
  upper?: { dir: ByteString; work: ByteString } | "scratch";
  /** No fsync reaches the disk: for what is thrown away after a crash. */
  volatile?: boolean;
  /** Directories of the lower layers can be renamed, as on any other file system; then the upper directory is no plain tree. */
  renames?: boolean;
  /** Several names of one file stay such when it is written. Ties the upper directory to these very lower ones. */
  links?: boolean;
  /** What mount tables name it. Default "tranship". */
  source?: string;
  nodev?: boolean;
  nosuid?: boolean;
  readOnly?: boolean;
}

export type EnterMount =
  | OverlayMount
  /** With all that is mounted below source; a target that is absent is made. */
  | { kind: "bind"; source: ByteString; target: ByteString; readOnly?: boolean }
  /** Of launch alone: source is looked up as LowerDirectory says. */
  | { kind: "bind-within"; root: ByteString; source: ByteString; target: ByteString; readOnly?: boolean }
  /** source as the process sees it, links included. */
  | { kind: "bind-from-pid"; pid: number; source: ByteString; target: ByteString; readOnly?: boolean }
  /** The ext4 in the file source, with directories upper and work; overlays after it may have them. */
  | { kind: "disk"; source: ByteString; target: ByteString }
  /** Of launch with a user namespace: source with its owners as ids of that. A target that is absent is made; overlays after it may lie in it. */
  | { kind: "idmap"; source: ByteString; target: ByteString }
  | { kind: "tmpfs"; target: ByteString; mode: number }
  | { kind: "proc"; target: ByteString }
  | { kind: "dev"; target: ByteString }
  | { kind: "sys"; target: ByteString }
  | { kind: "dir"; target: ByteString; mode: number };

export interface EnterCommand {
  argv: readonly ByteString[];
  cwd?: ByteString;
  /** Added to the caller's environment, or all of it with clearEnv. */
  env?: Readonly<Record<string, ByteString>>;
  clearEnv?: boolean;
  user?: { uid: number; gid: number; groups?: readonly number[] };
  /** Capabilities that stay (all others leave the bounding set too). Absent: as the caller. */
  capabilities?: readonly Capability[];
  noNewPrivileges?: boolean;
  /** Own session: a terminal of the caller cannot be typed into. */
  newSession?: boolean;
  /** Execute the static program open at this descriptor (of enter); argv[0] is only its name. */
  execFd?: number;
  /** Descriptors (of enter) that the command inherits beside 0, 1 and 2. */
  keepFds?: readonly number[];
}

export interface SandboxOptions {
  /** The first one has the target "/". Carried out in order. */
  mounts: readonly EnterMount[];
  /** none: not even a loopback; own: loopback only; or that of a process. Default none. */
  network?: "none" | "own" | "host" | { pid: number };
  joinIpc?: number;
  joinUts?: number;
  joinPid?: number;
  hostname?: string;
  /** Wait for what the command left running (a daemon that detached itself); else that is killed. */
  lingerOrphans?: boolean;
  command: EnterCommand;
}

export type NamespaceKind = "net" | "ipc" | "uts" | "cgroup" | "pid" | "mnt" | "user";

export interface JoinOptions {
  pid: number;
  /** Default: all but user. With mnt also the root directory of the process. */
  namespaces?: readonly NamespaceKind[];
  /** Directory to take as root after that. */
  root?: ByteString;
  command: EnterCommand;
}

export interface LaunchOptions {
  /** None may have the target "/": the tree stays that of the host. */
  mounts?: readonly EnterMount[];
  /** Default host. */
  network?: LaunchNetwork;
  /** A user namespace whose ids from 0 on are those from `first` on here, at PLACE/userns for the command to join; PLACE is a memory file system then. The network is its. */
  userns?: { place: string; first: number; count: number };
  /** crun on a hybrid machine (cgroup v1 and v2) works only without the v2 controllers in sight. */
  hideCgroup2?: boolean;
  /** The command is crun: it is executed from a read-only mount, and told so, which saves it to do that and start anew. */
  clonedRuntime?: boolean;
  /** Starts native/refusals beside it, outside of the namespaces, and waits until it listens. */
  refusals?: { program: string; socket: string; log: string; instance: string };
  /** A program and its words, started outside of the namespaces with the pid of the command as its last ones. */
  watcher?: readonly ByteString[];
  /** Directories of control groups that the command goes into, where the OCI runtime does not. */
  cgroups?: readonly string[];
  /** Of the instance, where the OCI runtime cannot set it. */
  domainname?: string;
  command: EnterCommand;
}

/** What to execute; startEnter() adds its descriptors. */
export interface EnterCall {
  verb: "sandbox" | "join" | "launch";
  /** Words that come right after the verb. */
  subject: readonly string[];
  options: readonly ByteString[];
  argv: readonly ByteString[];
}

export function sandboxCall(options: SandboxOptions): EnterCall {
  const words = options.mounts.flatMap(mountWords);
  const network = options.network ?? "none";
  if (typeof network === "string") words.push("--network", network);
  else words.push("--join-net", String(network.pid));
  if (options.joinIpc !== undefined) words.push("--join-ipc", String(options.joinIpc));
  if (options.joinUts !== undefined) words.push("--join-uts", String(options.joinUts));
  if (options.joinPid !== undefined) words.push("--join-pid", String(options.joinPid));
  if (options.hostname !== undefined) words.push("--hostname", options.hostname);
  if (options.lingerOrphans) words.push("--linger-orphans");
  words.push(...commandWords(options.command));
  return { verb: "sandbox", subject: [], options: words, argv: options.command.argv };
}

export function joinCall(options: JoinOptions): EnterCall {
  const words: ByteString[] = [];
  if (options.namespaces !== undefined) words.push("--namespaces", options.namespaces.join(","));
  if (options.root !== undefined) words.push("--root", options.root);
  words.push(...commandWords(options.command));
  return { verb: "join", subject: [String(options.pid)], options: words, argv: options.command.argv };
}

export function launchCall(options: LaunchOptions): EnterCall {
  const { mounts, network, command } = launchParts(options);
  return {
    verb: "launch",
    subject: [],
    options: [...mounts, ...network, ...command],
    argv: options.command.argv,
  };
}

/** The options of a launch by what they are about, for an enter that is told in parts. */
export function launchParts(options: Omit<LaunchOptions, "command"> & { command?: EnterCommand }): {
  mounts: ByteString[];
  network: ByteString[];
  command: ByteString[];
} {
  const network = options.network ?? "host";
  return {
    mounts: [
      ...usernsWords(options.userns),
      ...(options.mounts ?? []).flatMap(mountWords),
      ...(options.hideCgroup2 ? ["--hide-cgroup2"] : []),
    ],
    network: networkWords(network),
    command: [
      ...(options.clonedRuntime ? ["--cloned-runtime"] : []),
      ...refusalsWords(options.refusals),
      ...(options.cgroups ?? []).flatMap((group) => ["--cgroup", group]),
      ...(options.domainname === undefined ? [] : ["--domainname", options.domainname]),
      ...(options.watcher === undefined
        ? []
        : ["--watcher", String(options.watcher.length), ...options.watcher]),
      ...(options.command === undefined ? [] : commandWords(options.command)),
    ],
  };
}

function usernsWords(userns: LaunchOptions["userns"]): string[] {
  if (userns === undefined) return [];
  return ["--userns", userns.place, String(userns.first), String(userns.count)];
}

function refusalsWords(options: LaunchOptions["refusals"]): string[] {
  if (options === undefined) return [];
  const { program, socket, log, instance } = options;
  return ["--refusals", program, socket, log, instance];
}

/** The whole command line, for where another program starts enter. Secrets in env would show in process lists. */
export function callArguments(call: EnterCall, extra: readonly ByteString[] = []): ByteString[] {
  return [call.verb, ...callWords(call, extra)];
}

/** All words after the verb. */
export function callWords(call: EnterCall, extra: readonly ByteString[]): ByteString[] {
  return [...call.subject, ...extra, ...call.options, "--", ...call.argv];
}

function mountWords(mount: EnterMount): ByteString[] {
  switch (mount.kind) {
    case "overlay":
      return overlayWords(mount);
    case "bind":
      return mount.target === "/"
        ? ["--bind-root", mount.source, ...readOnlyWord(mount)]
        : ["--bind", mount.source, mount.target, ...readOnlyWord(mount)];
    case "bind-within":
      return ["--bind-within", mount.root, mount.source, mount.target, ...readOnlyWord(mount)];
    case "bind-from-pid":
      return ["--bind-from-pid", String(mount.pid), mount.source, mount.target, ...readOnlyWord(mount)];
    case "disk":
    case "idmap":
      return [`--${mount.kind}`, mount.source, mount.target];
    case "tmpfs":
    case "dir":
      return [`--${mount.kind}`, mount.target, mount.mode.toString(8)];
    default:
      return [`--${mount.kind}`, mount.target];
  }
}

function readOnlyWord(mount: { readOnly?: boolean }): string[] {
  return mount.readOnly ? ["ro"] : [];
}

function overlayWords(mount: OverlayMount): ByteString[] {
  const words = mount.lowers.flatMap((dir) =>
    typeof dir === "string" ? ["--lower", dir] : ["--lower-within", dir.root, dir.path],
  );
  if (mount.upper === "scratch") words.push("--scratch");
  else if (mount.upper !== undefined) words.push("--upper", mount.upper.dir, "--work", mount.upper.work);
  if (mount.volatile) words.push("--volatile");
  if (mount.renames) words.push("--renames");
  if (mount.links) words.push("--links");
  if (mount.source !== undefined) words.push("--source", mount.source);
  if (mount.nodev) words.push("--nodev");
  if (mount.nosuid) words.push("--nosuid");
  if (mount.readOnly) words.push("--ro");
  words.push("--overlay", mount.target);
  return words;
}

function commandWords(command: EnterCommand): ByteString[] {
  const words: ByteString[] = [];
  if (command.clearEnv) words.push("--clearenv");
  for (const [key, value] of Object.entries(command.env ?? {})) words.push("--setenv", key, value);
  if (command.cwd !== undefined) words.push("--chdir", command.cwd);
  if (command.user !== undefined) words.push("--user", userWord(command.user));
  if (command.capabilities !== undefined) words.push("--caps", capabilityMask(command.capabilities));
  if (command.noNewPrivileges) words.push("--no-new-privs");
  if (command.newSession) words.push("--new-session");
  if (command.execFd !== undefined) words.push("--fd-exec", String(command.execFd));
  for (const fd of command.keepFds ?? []) words.push("--keep-fd", String(fd));
  return words;
}

function userWord(user: NonNullable<EnterCommand["user"]>): string {
  const groups = user.groups ?? [];
  return `${user.uid}:${user.gid}${groups.length > 0 ? `:${groups.join(",")}` : ""}`;
}

/** In the kernel's order: the index is the number (capability.h). */
export const capabilities = [
  "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
  "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
  "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
  "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
  "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
  "CHECKPOINT_RESTORE",
] as const; // biome-ignore format: a table

export type Capability = (typeof capabilities)[number];

export function capabilityMask(kept: readonly Capability[]): string {
  return kept.reduce((mask, name) => mask | (1n << BigInt(capabilities.indexOf(name))), 0n).toString(16);
}
