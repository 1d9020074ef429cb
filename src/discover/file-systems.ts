// Mounts, fstab, swap, automounts.
import { statfs } from "node:fs/promises";
import { type MountInfo, parseMountInfo, visibleMounts } from "../formats/mountinfo.ts";
import { parseFstab } from "../formats/procfs.ts";
import type { Machine } from "../machine/machine.ts";
import type { FileSystemFacts, MountFact } from "./inventory.ts";
import type { Source } from "./source.ts";

/** File systems of the kernel itself hold nothing of the machine. */
const kernelTypes = new Set([
  "proc",
  "sysfs",
  "devtmpfs",
  "devpts",
  "cgroup",
  "cgroup2",
  "securityfs",
  "debugfs",
  "tracefs",
  "pstore",
  "bpf",
  "mqueue",
  "hugetlbfs",
  "configfs",
  "fusectl",
  "binfmt_misc",
  "efivarfs",
  "rpc_pipefs",
  "nsfs",
  "selinuxfs",
  "ramfs",
]);
export const networkTypes =
  /^(nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|fuse\.(sshfs|glusterfs|ceph|s3fs)|glusterfs|lustre|gpfs|ocfs2|gfs2|beegfs)$/;

export async function readFileSystems(machine: Machine, source: Source): Promise<FileSystemFacts> {
  const fstab = parseFstab((await source.text("/etc/fstab")) ?? "");
  const swaps = new Set(fstab.filter((entry) => entry.type === "swap").map((entry) => entry.source));
  const configured = fstab
    .filter((entry) => entry.type !== "swap" && !kernelTypes.has(entry.type))
    .map(({ source: device, mountPoint, type, options }): MountFact => {
      return { mountPoint, source: device, type, options, size: null, free: null, from: ["/etc/fstab"] };
    });
  if (machine.live) {
    for (const swap of parseFstab((await source.text("/proc/swaps")) ?? "")) {
      if (swap.source.startsWith("/")) swaps.add(swap.source);
    }
  }
  return {
    mounted: machine.live ? await readMounted(machine, source) : [],
    configured,
    swaps: [...swaps],
    automounts: await readAutomounts(source),
  };
}

async function readMounted(machine: Machine, source: Source): Promise<MountFact[]> {
  const path = "/proc/self/mountinfo";
  const text = (await source.text(path, 32 << 20)) ?? "";
  let mounts: MountInfo[] = [];
  try {
    mounts = visibleMounts(parseMountInfo(text));
  } catch (error) {
    source.note(path, error instanceof Error ? error.message : String(error));
  }
  const facts: MountFact[] = [];
  for (const mount of mounts.filter((each) => !kernelTypes.has(each.fstype)).slice(0, 10_000)) {
    const { target, fstype } = mount;
    const options = [...mount.options, ...mount.superOptions.filter((each) => !mount.options.includes(each))];
    const space = machine.kind === "local" && !networkTypes.test(fstype) ? await spaceOf(target) : undefined;
    facts.push({
      mountPoint: target,
      source: mount.source,
      type: fstype,
      options,
      size: space?.size ?? null,
      free: space?.free ?? null,
      from: [path],
    });
  }
  return facts;
}

/** Of this host only; a file system that does not answer has no size. */
async function spaceOf(path: string): Promise<{ size: number; free: number } | undefined> {
  try {
    const { bsize, blocks, bavail } = await statfs(Buffer.from(path, "latin1"));
    return { size: bsize * blocks, free: bsize * bavail };
  } catch {
    return undefined;
  }
}

async function readAutomounts(source: Source): Promise<string[]> {
  const found: string[] = [];
  for (const path of ["/etc/auto.master", "/etc/autofs/auto.master"]) {
    for (const line of ((await source.text(path)) ?? "").split("\n").slice(0, 10_000)) {
      const mountPoint = /^(\/\S*)\s+\S/.exec(line)?.[1];
      if (mountPoint !== undefined) found.push(mountPoint);
    }
  }
  return found;
}
