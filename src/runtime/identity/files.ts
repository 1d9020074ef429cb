// The files by which programs learn who their machine is. Each is bound over its place in the instance: what the package brought from its
// old machine stays as it is below, and no two instances show the same.
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { writeFilePlain } from "../../host/files.ts";
import type { Instance } from "../find.ts";
import { namedInLayers, readLayerFile } from "../layers.ts";
import type { OciMount } from "../oci/config.ts";
import type { OciRuntime } from "../oci/runtime.ts";
import { type InstanceIdentity, nothingTaken, ownHostId, ownMachineId } from "./identity.ts";

export interface IdentityFiles {
  instance: Instance;
  layers: readonly string[];
  /** As it is at this start. */
  identity: InstanceIdentity;
  /** Where the overlay of the instance will be mounted. */
  rootfs: string;
  /** Which OCI runtime mounts it. */
  runtime: OciRuntime["kind"];
}

type Placed = Omit<IdentityFiles, "rootfs" | "runtime">;

export function identityMounts(input: IdentityFiles): OciMount[] {
  return [...fileMounts(input), ...dmiMounts(input)];
}

/** All but DMI: files that are bound one by one. */
export function fileMounts(input: Placed): OciMount[] {
  return [...idMounts(input), ...nameMounts(input), ...zoneMounts(input)];
}

/** rw: a program may write there, into the instance's own copy. */
function put({ instance }: Placed, path: string, content: string | Buffer): OciMount {
  const file = join(instance.paths.files, path.slice(1).replaceAll("/", "-"));
  writeFilePlain(file, content, 0o644);
  return { destination: path, type: "bind", source: file, options: ["rbind", "rprivate", "rw"] };
}

/** A file, not a link that leads to one: that shows what is bound there. */
function isFile(layers: readonly string[], path: string): boolean {
  return readLayerFile(layers, path.slice(1)) !== undefined;
}

/** The ids of the machine: those taken on, or the instance's own where the package brought any. */
function idMounts(input: Placed): OciMount[] {
  const { layers, instance } = input;
  const { id } = instance.record;
  const { machineId, hostId } = input.identity.taken;
  const mounts: OciMount[] = [];
  for (const path of ["/etc/machine-id", "/var/lib/dbus/machine-id"]) {
    const absent = machineId !== null && !namedInLayers(layers, path.slice(1));
    if (isFile(layers, path) || absent) mounts.push(put(input, path, `${machineId ?? ownMachineId(id)}\n`));
  }
  if (hostId !== null || isFile(layers, "/etc/hostid")) {
    // As sethostid() writes it: the bytes of a number in memory.
    const number = Buffer.from(hostId ?? ownHostId(id), "hex").reverse();
    mounts.push(put(input, "/etc/hostid", number));
  }
  return mounts;
}

/** Where old distributions keep the host name beside /etc/hostname. */
function nameMounts(input: Placed): OciMount[] {
  const { hostname } = input.instance.record;
  const mounts: OciMount[] = [];
  if (isFile(input.layers, "/etc/HOSTNAME")) mounts.push(put(input, "/etc/HOSTNAME", `${hostname}\n`));
  const network = readLayerFile(input.layers, "etc/sysconfig/network")?.toString("latin1");
  if (network !== undefined && /^HOSTNAME=/m.test(network)) {
    const text = network.replace(/^HOSTNAME=.*$/gm, `HOSTNAME=${hostname}`);
    mounts.push(put(input, "/etc/sysconfig/network", Buffer.from(text, "latin1")));
  }
  return mounts;
}

/** The application's time zone, where the package did not bring its file. */
function zoneMounts(input: Placed): OciMount[] {
  const { timezone } = input.identity;
  if (timezone === null || timezone.includes("..") || namedInLayers(input.layers, "etc/localtime")) return [];
  for (const directory of ["/usr/share/zoneinfo", "/usr/lib/zoneinfo"]) {
    const file = join(directory, timezone);
    try {
      const bytes = readFileSync(file);
      if (bytes.subarray(0, 4).toString("latin1") === "TZif") return [put(input, "/etc/localtime", bytes)];
    } catch {} // this host does not know the zone
  }
  return [];
}

/** The directory with the values taken on, written anew; undefined: there are none. */
export function dmiValues({ instance, identity }: Placed): string | undefined {
  const { dmi } = identity.taken;
  const top = join(instance.paths.files, "dmi");
  rmSync(top, { recursive: true, force: true });
  if (dmi === null) return undefined;
  const values = join(top, "virtual/dmi/id");
  mkdirSync(values, { recursive: true, mode: 0o755 });
  for (const [name, value] of Object.entries(dmi))
    writeFilePlain(join(values, name), `${value}\n`, /_(serial|uuid)$/.test(name) ? 0o400 : 0o444);
  return values;
}

/**
 * /sys/class/dmi/id with the values taken on. A host without DMI (many virtual machines) has no such directory, and none can be made in
 * sysfs: there two overlays show ours above the kernel's, which has been mounted for the instance by then.
 */
function dmiMounts(input: IdentityFiles): OciMount[] {
  const values = dmiValues(input);
  if (values === undefined) return [];
  const top = join(input.instance.paths.files, "dmi");
  if (existsSync("/sys/devices/virtual/dmi/id")) {
    const options = ["rbind", "rprivate", "ro", "nosuid", "nodev", "noexec"];
    return [{ destination: "/sys/devices/virtual/dmi/id", type: "bind", source: values, options }];
  }
  mkdirSync(join(top, "class/dmi"), { recursive: true, mode: 0o755 });
  symlinkSync("../../devices/virtual/dmi/id", join(top, "class/dmi/id"));
  const seen = (path: string): string => fromRuntime(input, path);
  return [
    ["virtual", "devices/virtual"],
    ["class", "class"],
  ].map(([own = "", kernel = ""]) => ({
    destination: `/sys/${kernel}`,
    type: "overlay",
    source: "overlay",
    options: [
      "ro",
      "nosuid",
      "nodev",
      "noexec",
      `lowerdir=${seen(join(top, own))}:${seen(join(input.rootfs, "sys", kernel))}`,
    ],
  }));
}

/**
 * A path as the OCI runtime finds it when it mounts, and as mount tables of the instance tell it then: without the path of the state root
 * where it is known which directory the runtime is in. runc is in the root of the instance, but below a mount of that onto itself.
 */
function fromRuntime({ instance, rootfs, runtime }: IdentityFiles, path: string): string {
  if (runtime === "crun") return relative(instance.paths.bundle, path);
  return runtime === "runc" ? join("..", relative(dirname(rootfs), path)) : path;
}

/** What a record without identity means: made by an older Tranship. */
export const noIdentity: InstanceIdentity = { domain: null, timezone: null, taken: nothingTaken };
