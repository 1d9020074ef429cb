// The OCI runtime configuration of an instance. Pure: values in, a value out.
//
// Nothing of the image reaches it but environment, working directory and mount targets: none of its annotations (crun acts on
// run.oci.*), no hooks. The network namespace is not named: the runtime is started inside of it.

import type { CgroupRates } from "../../host/cgroup-limits.ts";
import { type DeviceNode, devicesAreBound } from "../devices.ts";
import type { GivenLimits } from "../limits/given.ts";
import { instanceGroup } from "../limits/groups.ts";
import { ociResources, ociRlimits } from "../limits/oci.ts";
import type { InstanceRecord } from "../record.ts";
import { settingsOfIpc } from "../sysctls.ts";
import { capabilitiesOf } from "./capabilities.ts";
import type { SeccompPart } from "./profile.ts";

export interface OciMount {
  destination: string;
  type: string;
  source: string;
  options: readonly string[];
}

export interface ConfigInput {
  record: InstanceRecord;
  user: { uid: number; gid: number; groups: readonly number[] };
  /** The runtime makes a terminal and proxies ours: in the foreground; else init makes it. */
  terminal: boolean;
  /** Size of the terminal, where there is one. */
  console: { consoleSize?: { height: number; width: number } };
  rootfs: string;
  /** After the default ones: /.tranship/run, volumes, files. */
  mounts: readonly OciMount[];
  args: readonly string[];
  environment: readonly string[];
  given: GivenLimits;
  rates: CgroupRates;
  filter: SeccompPart;
  /** Of the host, as they are now. */
  devices: readonly DeviceNode[];
  cgroups: boolean;
  rootless: boolean;
  /** The path of the namespace that it joins, where it has one of its own. */
  userns?: string;
}

/** What uname tells: the kernel's word for none where there is none. */
export function domainOf({ identity }: InstanceRecord): string {
  return identity?.domain ?? "(none)";
}

/** As docker's. */
const maskedPaths = [
  "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
  "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
]; // biome-ignore format: a table
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** proc and dev come first. */
export const defaultMounts: readonly OciMount[] = [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  {
    destination: "/dev/shm",
    type: "tmpfs",
    source: "shm",
    options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
  },
  {
    destination: "/dev/mqueue",
    type: "mqueue",
    source: "mqueue",
    options: ["nosuid", "noexec", "nodev"],
  },
  {
    destination: "/sys",
    type: "sysfs",
    source: "sysfs",
    options: ["nosuid", "noexec", "nodev", "ro"],
  },
];

const character = (major: number, minor?: number) => ({
  allow: true,
  type: "c",
  major,
  ...(minor === undefined ? {} : { minor }),
  access: "rwm",
});

/** Making a node is harmless, opening it is not: m for all, rw for null, zero, full, random, urandom, tty, console, ptmx, pts. */
const devices = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  character(1, 3), character(1, 5), character(1, 7), character(1, 8), character(1, 9),
  character(5, 0), character(5, 1), character(5, 2), character(136),
]; // biome-ignore format: a table

export function ociConfig(input: ConfigInput): object {
  const { record } = input;
  const capabilities = capabilitiesOf(record);
  return {
    ociVersion: "1.0.2",
    ...(input.filter.annotations === undefined ? {} : { annotations: input.filter.annotations }),
    process: {
      terminal: input.terminal,
      ...input.console,
      user: { uid: input.user.uid, gid: input.user.gid, additionalGids: input.user.groups },
      args: input.args,
      env: input.environment,
      cwd: record.workingDirectory,
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: [],
        ambient: [],
      },
      rlimits: ociRlimits(input.given.ulimits),
      ...(input.given.oomScoreAdj === undefined ? {} : { oomScoreAdj: input.given.oomScoreAdj }),
      // Set-user-id programs of old applications have to work, unless somebody says otherwise.
      noNewPrivileges: record.noNewPrivileges === true,
    },
    root: { path: input.rootfs, readonly: record.readOnly },
    hostname: record.hostname,
    mounts: [...mountsWith(record), ...input.mounts],
    linux: {
      ...sysctlsOf(input),
      ...(input.userns === undefined ? {} : mappings(record)),
      namespaces: [
        ...(input.userns === undefined ? [] : [{ type: "user", path: input.userns }]),
        ...["pid", "ipc", "uts", "mount"].map((type) => ({ type })),
        ...(input.cgroups ? [{ type: "cgroup" }] : []),
      ],
      ...(input.cgroups
        ? {
            cgroupsPath: `/${instanceGroup(record.id)}`,
            resources: {
              devices: [...devices, ...input.devices.map(allowed)],
              ...ociResources(record.limits, input.rates),
            },
          }
        : {}),
      ...(input.devices.length === 0 || devicesAreBound(record) ? {} : { devices: input.devices.map(made) }),
      maskedPaths,
      readonlyPaths,
      ...(input.filter.seccomp === undefined ? {} : { seccomp: input.filter.seccomp }),
    },
  };
}

function allowed({ type, major, minor, access }: DeviceNode): object {
  return { allow: true, type, major, minor, access };
}

/** With owner and mode that the node has on the host. */
function made({ path, type, major, minor, mode, uid, gid }: DeviceNode): object {
  return { path, type, major, minor, fileMode: mode, uid, gid };
}

/** Of the host the name of the domain would show through; without root enter sets it. */
function sysctlsOf({ record, rootless, userns }: ConfigInput): { sysctl?: Record<string, string> } {
  const own = rootless || userns !== undefined ? {} : { "kernel.domainname": domainOf(record) };
  const sysctl = { ...own, ...settingsOfIpc(record.sysctls) };
  return Object.keys(sysctl).length === 0 ? {} : { sysctl };
}

/** For runtimes that want to know them of a namespace that is joined, too. */
function mappings({ userns }: InstanceRecord): object {
  const all = [{ containerID: 0, hostID: userns?.first, size: userns?.count }];
  return { uidMappings: all, gidMappings: all };
}

function mountsWith({ limits: { shmSize = null }, userns, network }: InstanceRecord): readonly OciMount[] {
  const size = (option: string): string => (option.startsWith("size=") ? `size=${shmSize}` : option);
  return defaultMounts.map((mount) => {
    if (mount.destination === "/dev/shm" && shmSize !== null)
      return { ...mount, options: mount.options.map(size) };
    // The host's network belongs to another namespace, whose /sys nobody else may mount.
    if (mount.destination === "/sys" && userns !== undefined && network.mode === "host")
      return { ...mount, type: "bind", source: "/sys", options: ["rbind", "rprivate", ...mount.options] };
    return mount;
  });
}
