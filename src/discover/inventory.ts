// The inventory: facts of a machine as found. JSON-able; schemas/inventory.schema.json is its schema.
// Texts that come from the machine (paths, names, values) are byte strings: one char per byte.
import type { ByteString } from "../formats/entry.ts";

export const inventoryVersion = 1;

/** Where a fact came from: paths of files on the machine. */
export type From = ByteString[];

export interface Inventory {
  schema: "tranship/inventory";
  version: typeof inventoryVersion;
  machine: { address: string; kind: string; live: boolean };
  os: OsFacts;
  kernel: KernelFacts;
  architecture: ArchitectureFacts;
  identity: IdentityFacts;
  services: ServiceFact[];
  schedules: ScheduleFact[];
  processes: ProcessFact[];
  sockets: SocketFact[];
  /** What configuration files say would be listened on. */
  listeners: ListenerFact[];
  installed: InstalledFacts;
  users: UserFact[];
  groups: GroupFact[];
  fileSystems: FileSystemFacts;
  /** What could not be read, was cut or is not understood yet. */
  notes: Note[];
}

export interface Note {
  subject: ByteString;
  text: string;
}

export interface OsFacts {
  id: string;
  version: string;
  name: ByteString;
  /** ID_LIKE. */
  like: string[];
  /** Content of debian_version, redhat-release and the like. */
  release: ByteString;
  from: From;
}

export interface KernelFacts {
  /** Running kernel; null for a machine that does not run. */
  running: { release: ByteString; commandLine: ByteString; modules: string[] } | null;
  /** Releases found in /boot and /lib/modules. */
  installed: ByteString[];
  from: From;
}

export interface ArchitectureFacts {
  /** OCI's words: amd64, 386, arm64, arm, ppc64le, s390x, riscv64 ...; "" where unknown. */
  name: string;
  bits: 32 | 64 | 0;
  littleEndian: boolean;
  from: From;
}

export interface IdentityFacts {
  hostname: ByteString;
  domain: ByteString;
  machineId: ByteString;
  /** What gethostid() gives, as 8 hex digits; "" where nothing says so. */
  hostId: string;
  timezone: ByteString;
  locale: ByteString;
  /** Addresses from network configuration (and of the interfaces of a live machine), loopback left out. */
  addresses: string[];
  /** Both with those of the default route's interface first. */
  macAddresses: string[];
  /** Files of /sys/class/dmi/id: product_serial, product_name ... */
  dmi: Record<string, ByteString>;
  from: From;
}

export type ServiceManager =
  | "systemd"
  | "sysv"
  | "upstart"
  | "inittab"
  | "inetd"
  | "xinetd"
  | "runit"
  | "supervisor";

export interface ServiceFact {
  /** Without ".service": apache2, postgresql@13-main. */
  name: ByteString;
  manager: ServiceManager;
  /** The unit with its drop-ins in reading order, or the script. */
  from: From;
  description: ByteString;
  /** simple, forking, oneshot, notify ...; "" where the manager does not say. */
  type: string;
  state: "enabled" | "disabled" | "static" | "masked" | "unknown";
  /** What enables it: links, run levels. */
  enabledBy: ByteString[];
  aliases: ByteString[];
  /** A template is no service by itself. */
  template: boolean;
  exec: { start: ByteString[]; before: ByteString[]; stop: ByteString[] };
  /** The program's path as far as the files say it. */
  program: ByteString;
  user: ByteString;
  group: ByteString;
  /** Values of secret-looking names are masked. */
  environment: Record<string, ByteString>;
  environmentFiles: ByteString[];
  workingDirectory: ByteString;
  pidFile: ByteString;
  /** Absolute. */
  runtimeDirectories: ByteString[];
  /** Absolute: StateDirectory, CacheDirectory, LogsDirectory. */
  dataDirectories: ByteString[];
  after: ByteString[];
  requires: ByteString[];
  /** Of a live machine. */
  pids: number[];
  problems: string[];
}

export interface ScheduleFact {
  kind: "cron" | "timer" | "anacron" | "at" | "directory";
  /** As written: five fields, @daily, OnCalendar=..., "hourly". */
  when: ByteString;
  user: ByteString;
  /** Secrets masked. */
  command: ByteString;
  /** A timer's service. */
  service: ByteString;
  from: From;
}

export interface ProcessFact {
  pid: number;
  ppid: number;
  name: ByteString;
  state: string;
  startTime: string;
  executable: ByteString;
  /** The file of a running program was replaced or removed. */
  executableDeleted: boolean;
  arguments: ByteString[];
  workingDirectory: ByteString;
  root: ByteString;
  environment: Record<string, ByteString>;
  uids: number[];
  gids: number[];
  groups: number[];
  threads: number;
  residentKib: number;
  /** Mapped files, deleted ones apart. */
  files: ByteString[];
  deletedFiles: ByteString[];
  /** Open files other than sockets and pipes; at most 1024. */
  openFiles: ByteString[];
  descriptors: { sockets: number; pipes: number; files: number; other: number };
  /** "systemd" service by cgroup or "" */
  service: ByteString;
  cgroup: ByteString;
  /** False where the process is in another mount or pid namespace than the reader (a container). */
  sameNamespaces: boolean;
  /** What of /proc/PID could not be read. */
  unread: string[];
}

export interface SocketFact {
  protocol: "tcp" | "tcp6" | "udp" | "udp6" | "unix";
  /** Inet only. */
  address: string;
  port: number;
  /** Unix only. */
  path: ByteString;
  inode: string;
  pids: number[];
}

export interface ListenerFact {
  /** Program family: apache, nginx, mysql, postgresql, sshd ... */
  kind: string;
  address: string;
  port: number;
  /** A Unix socket's path; "" for inet. */
  path: ByteString;
  from: From;
}

export interface InstalledPackage {
  name: ByteString;
  version: ByteString;
  architecture: string;
}

export interface InstalledFacts {
  database: "dpkg" | "rpm" | "apk" | "none";
  packages: InstalledPackage[];
  /** False where a database is there and nothing of it can be read. */
  readable: boolean;
  from: From;
}

export interface UserFact {
  name: ByteString;
  uid: number;
  gid: number;
  home: ByteString;
  shell: ByteString;
  /** True where the shell lets a person in. */
  login: boolean;
}

export interface GroupFact {
  name: ByteString;
  gid: number;
  members: ByteString[];
}

export interface MountFact {
  mountPoint: ByteString;
  source: ByteString;
  type: string;
  options: string[];
  /** Bytes; null where the machine cannot be asked. */
  size: number | null;
  free: number | null;
  from: From;
}

export interface FileSystemFacts {
  /** Live machines: what is mounted, kernel file systems left out. */
  mounted: MountFact[];
  /** /etc/fstab. */
  configured: MountFact[];
  /** Swap devices and files in use or configured. */
  swaps: ByteString[];
  automounts: ByteString[];
}
