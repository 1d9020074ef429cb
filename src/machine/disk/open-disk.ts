// disk:FILE. An archive of a root is unpacked into a work directory. A raw disk is mounted read-only in a private namespace, from the
// partition that holds the system; a qcow2 one is made raw first, as a sparse file of the work directory.

import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join, resolve } from "node:path";
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import {
  type FileSystemKind,
  fileSystemOf,
  type ImageKind,
  imageKind,
  type Partition,
  partitionHead,
  partitionsOf,
  qcow2Refusal,
} from "../../formats/disk-image.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { errnoOf } from "../../host/files.ts";
import { runChecked, spawnError } from "../../host/process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { makeWorkDirectory, type WorkDirectory } from "../../host/work.ts";
import { decompress } from "../../image/decompress.ts";
import { readTarObjects } from "../../image/layer-reader.ts";
import { makeTree } from "../../image/make-tree.ts";
import type { Machine } from "../machine.ts";
import { mountedMachine } from "../mounted.ts";
import { holdsSystem } from "../rootfs.ts";
import { TreeFiles } from "../tree-files.ts";
import { holdMounts } from "./holder.ts";

export interface DiskChoices {
  /** Number of the partition to read; undefined: the one that holds a system. */
  partition: number | undefined;
}

export async function openDisk(
  address: string,
  file: string,
  choices: DiskChoices,
  root: StateRoot,
): Promise<Machine> {
  if (file === "")
    throw unreachable(`${address} names no file`, "write disk:FILE, for example disk:old.qcow2");
  const path = resolve(file);
  const kind = imageKind(headOf(path, 512));
  const work = makeWorkDirectory(root, "disk");
  try {
    if (kind !== "raw" && kind !== "qcow2") return await openArchive(address, path, kind, work);
    const raw = kind === "raw" ? path : await makeRaw(path, work);
    return await openRaw(address, raw, choices, work);
  } catch (error) {
    work.remove();
    throw error;
  }
}

async function openArchive(
  address: string,
  path: string,
  kind: ImageKind,
  work: WorkDirectory,
): Promise<Machine> {
  const directory = join(work.path, "fs");
  fs.mkdirSync(directory, { mode: 0o755 });
  step("unpack the disk");
  try {
    await makeTree(directory, readTarObjects(tarOf(path, kind), undefined, true), {}, (reason, at) => {
      return unreachable(
        `cannot unpack ${path}: ${reason}${at === undefined ? "" : ` (${escapeBytes(at)})`}`,
        "the archive holds something that does not fit here",
      );
    });
  } catch (error) {
    if (!isTranshipError(error) || error.code === "E_MACHINE_UNREACHABLE" || error.code === "E_NO_SPACE")
      throw error;
    throw new TranshipError(
      "E_MACHINE_UNREACHABLE",
      `cannot read ${path} as an archive of a root: ${error.message}`,
      {
        hint: error.hint ?? "a tar of the machine's root, plain or packed by gzip, zstd or xz",
        cause: error,
      },
    );
  }
  if (!(await holdsSystem(directory))) {
    throw unreachable(
      `${path} holds no operating system: no /etc and no /usr at its top`,
      "make the archive in the machine's root: tar -C / -c .",
    );
  }
  const files = new TreeFiles(directory);
  return {
    address,
    kind: "disk",
    root: directory,
    files,
    live: false,
    notes: ["device nodes of the archive are left out"],
    close: async () => {
      await files.close();
      work.remove();
    },
  };
}

function tarOf(path: string, kind: ImageKind): AsyncIterable<Uint8Array> {
  const source = fs.createReadStream(path, { highWaterMark: 1 << 20 });
  if (kind === "xz") return xzOf(path);
  return decompress(kind === "gzip" || kind === "zstd" ? kind : "none", source);
}

async function* xzOf(path: string): AsyncGenerator<Uint8Array, void, void> {
  const child = spawn("xz", ["-dc", "--memlimit-decompress=512MiB", "--", path], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => {
    if (words.length < 4096) words += chunk.toString("latin1");
  });
  const ended = new Promise<number | Error>((done) => {
    child.once("error", done);
    child.once("close", (code) => done(code ?? 1));
  });
  let whole = false;
  try {
    yield* child.stdout;
    whole = true;
  } finally {
    if (!whole) child.kill("SIGKILL");
  }
  const status = await ended;
  if (status instanceof Error) throw spawnError("xz", status);
  if (status !== 0) throw unreachable(`cannot unpack ${path}: ${words.trim()}`, "the file may be cut off");
}

async function makeRaw(path: string, work: WorkDirectory): Promise<string> {
  const refusal = qcow2Refusal(headOf(path, 104));
  if (refusal !== undefined) {
    throw unreachable(
      `${path} ${refusal}`,
      "make one file of it first: qemu-img convert -O qcow2 FILE WHOLE.qcow2, where you trust it",
    );
  }
  const raw = join(work.path, "disk.raw");
  step("make the disk raw");
  // The format is told, never guessed: what is inside must not be taken for an image that names other files.
  await runChecked("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", path, raw]);
  return raw;
}

async function openRaw(
  address: string,
  raw: string,
  choices: DiskChoices,
  work: WorkDirectory,
): Promise<Machine> {
  const disk = new DiskFile(raw);
  try {
    const partitions = partitionsOf((offset, length) => disk.read(offset, length), disk.size);
    const found = partitions.map((partition) => ({
      partition,
      kind: fileSystemOf(disk.read(partition.offset, Math.min(partition.size, partitionHead))),
    }));
    const asked = choices.partition;
    const candidates = found.filter(({ partition }) => asked === undefined || partition.number === asked);
    if (asked !== undefined && candidates.length === 0)
      throw unreachable(`${raw} has no partition ${asked}`, `there are: ${describeAll(found)}`);
    for (const { partition, kind } of candidates) {
      if (kind !== "ext4" && kind !== "xfs" && kind !== "btrfs") continue;
      const machine = await mountPartition(address, raw, { partition, kind }, work);
      if (machine !== undefined) {
        const others = found.filter(
          (one) => one.partition !== partition && one.kind !== undefined && one.kind !== "swap",
        );
        if (others.length === 0) return machine;
        return {
          ...machine,
          notes: [`read is partition ${partition.number}; not read are ${describeAll(others)}`],
        };
      }
    }
    throw unreachable(
      `${raw} has no partition that holds an operating system (etc, usr): ${describeAll(found)}`,
      hintFor(found.map((one) => one.kind)),
    );
  } finally {
    disk.close();
  }
}

function hintFor(kinds: readonly (FileSystemKind | undefined)[]): string {
  if (kinds.includes("luks"))
    return "open the encrypted partition yourself (cryptsetup), mount it read-only, and name the directory: rootfs:DIR";
  if (kinds.includes("lvm") || kinds.includes("raid"))
    return "volume groups and RAID are not put together here: activate them yourself, mount the root read-only, and name the directory: rootfs:DIR";
  return "ext2 to ext4, xfs and btrfs can be read; for others mount the disk read-only yourself and name the directory: rootfs:DIR";
}

function describeAll(found: readonly { partition: Partition; kind: FileSystemKind | undefined }[]): string {
  return (
    found.map(({ partition, kind }) => `${partition.number} (${kind ?? "unknown"})`).join(", ") ||
    "no partitions"
  );
}

/** A mount must not replay a journal: that would write. */
const withoutJournal: Readonly<Record<"ext4" | "xfs" | "btrfs", string>> = {
  ext4: "noload",
  xfs: "norecovery,nouuid",
  btrfs: "rescue=nologreplay",
};

/** undefined where it holds no system. */
async function mountPartition(
  address: string,
  raw: string,
  { partition, kind }: { partition: Partition; kind: "ext4" | "xfs" | "btrfs" },
  work: WorkDirectory,
): Promise<Machine | undefined> {
  const point = join(work.path, "mnt");
  fs.mkdirSync(point, { recursive: true, mode: 0o700 });
  const options = `ro,nosuid,nodev,loop,offset=${partition.offset},sizelimit=${partition.size},${withoutJournal[kind]}`;
  step("mount the disk");
  const holder = await holdMounts('mount -t "$1" -o "$2" -- "$3" "$4"', [kind, options, raw, point]).catch(
    (cause: unknown) => {
      if (!isTranshipError(cause, "E_TOOL_FAILED")) throw cause;
      throw unreachable(
        `cannot mount partition ${partition.number} of ${raw}: ${cause.message}`,
        "loop mounts need root; `tranship doctor` checks this host",
      );
    },
  );
  const top = `/proc/${holder.pid}/root${point}`;
  if (!(await holdsSystem(top))) {
    await holder.close();
    return undefined;
  }
  return mountedMachine(address, "disk", top, holder, work);
}

class DiskFile {
  readonly size: number;
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = fs.openSync(path, "r");
    this.size = fs.fstatSync(this.#fd).size;
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    return bytes.subarray(0, fs.readSync(this.#fd, bytes, 0, bytes.length, offset));
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}

function headOf(path: string, length: number): Uint8Array {
  try {
    if (!fs.statSync(path).isFile())
      throw unreachable(
        `${path} is no file`,
        "disk: takes an image or an archive; a mounted root is rootfs:DIR",
      );
    const fd = fs.openSync(path, "r");
    try {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, 0));
    } finally {
      fs.closeSync(fd);
    }
  } catch (cause) {
    if (cause instanceof TranshipError) throw cause;
    throw new TranshipError(
      "E_MACHINE_UNREACHABLE",
      `cannot read ${path}: ${errnoOf(cause) ?? String(cause)}`,
      {
        hint: "name a disk image (raw, qcow2) or an archive of a root (tar, plain or packed)",
        cause,
      },
    );
  }
}

function unreachable(message: string, hint: string): TranshipError {
  return new TranshipError("E_MACHINE_UNREACHABLE", message, { hint });
}
