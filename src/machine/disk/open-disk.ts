// disk:FILE. An archive of a root is unpacked into a work directory. A raw disk is mounted read-only in a private namespace, from the
// partition that holds the system; a qcow2 one is made raw first, as a sparse file of the work directory.

import * as fs from "node:fs";
import { join, resolve } from "node:path";
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import {
  type FileSystemKind,
  fileSystemOf,
  imageKind,
  type Partition,
  partitionHead,
  partitionsOf,
  qcow2Refusal,
} from "../../formats/disk-image.ts";
import { logicalVolumes, type Piece } from "../../formats/lvm.ts";
import { errnoOf, ioError } from "../../host/files.ts";
import { runChecked } from "../../host/process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { makeWorkDirectory, type WorkDirectory } from "../../host/work.ts";
import type { Machine } from "../machine.ts";
import { mountedMachine } from "../mounted.ts";
import { holdsSystem } from "../rootfs.ts";
import { holdMounts } from "./holder.ts";
import { openArchive } from "./open-archive.ts";
import { unreachable } from "./unreachable.ts";

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

/** What may hold a file system: a partition, or a logical volume in one. */
interface Place {
  /** "partition 2", "volume debian/root". */
  name: string;
  pieces: readonly Piece[];
  kind: FileSystemKind | undefined;
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
    const asked = choices.partition;
    const candidates = partitions.filter((one) => asked === undefined || one.number === asked);
    if (candidates.length === 0) {
      const there = partitions.flatMap((one) => placesOf(disk, one));
      throw unreachable(`${raw} has no partition ${asked}`, `there are: ${describeAll(there)}`);
    }
    const places = candidates.flatMap((one) => placesOf(disk, one));
    for (const place of places) {
      if (place.kind !== "ext4" && place.kind !== "xfs" && place.kind !== "btrfs") continue;
      const machine = await mountPlace(address, { raw, disk, place, kind: place.kind }, work);
      if (machine === undefined) continue;
      const others = partitions
        .flatMap((one) => placesOf(disk, one))
        .filter((one) => one.name !== place.name && one.kind !== undefined && !/^(swap|lvm)$/.test(one.kind));
      if (others.length === 0) return machine;
      return { ...machine, notes: [`read is ${place.name}; not read are ${describeAll(others)}`] };
    }
    throw unreachable(
      `${raw} has no partition that holds an operating system (etc, usr): ${describeAll(places)}`,
      hintFor(places.map((one) => one.kind)),
    );
  } finally {
    disk.close();
  }
}

/** The partition itself, and the volumes in it. */
function placesOf(disk: DiskFile, partition: Partition): Place[] {
  const { offset, size } = partition;
  const kind = fileSystemOf(disk.read(offset, Math.min(size, partitionHead)));
  const place: Place = { name: `partition ${partition.number}`, pieces: [{ offset, size }], kind };
  if (kind !== "lvm") return [place];
  const read = (at: number, length: number): Uint8Array =>
    disk.read(offset + at, Math.min(length, size - at));
  const volumes = logicalVolumes(read, size).map(({ name, pieces, refusal }): Place => {
    const there = pieces.map((one) => ({ offset: offset + one.offset, size: one.size }));
    const [first] = there;
    return {
      name: refusal === undefined ? `volume ${name}` : `volume ${name}, which ${refusal}`,
      pieces: there,
      kind:
        first === undefined
          ? undefined
          : fileSystemOf(disk.read(first.offset, Math.min(first.size, partitionHead))),
    };
  });
  return [place, ...volumes];
}

function hintFor(kinds: readonly (FileSystemKind | undefined)[]): string {
  if (kinds.includes("luks"))
    return "open the encrypted partition yourself (cryptsetup), mount it read-only, and name the directory: rootfs:DIR";
  if (kinds.includes("lvm") || kinds.includes("raid"))
    return "RAID, and volumes that are more than pieces of one disk, are not put together here: activate them yourself, mount the root read-only, and name the directory: rootfs:DIR";
  return "ext2 to ext4, xfs and btrfs can be read; for others mount the disk read-only yourself and name the directory: rootfs:DIR";
}

function describeAll(places: readonly Place[]): string {
  return places.map(({ name, kind }) => `${name} (${kind ?? "unknown"})`).join(", ") || "no partitions";
}

/** A mount must not replay a journal: that would write. */
const withoutJournal: Readonly<Record<"ext4" | "xfs" | "btrfs", string>> = {
  ext4: "noload",
  xfs: "norecovery,nouuid",
  btrfs: "rescue=nologreplay",
};

/** undefined where it holds no system. */
async function mountPlace(
  address: string,
  from: { raw: string; disk: DiskFile; place: Place; kind: "ext4" | "xfs" | "btrfs" },
  work: WorkDirectory,
): Promise<Machine | undefined> {
  const { place, kind } = from;
  const { file, piece } = onePiece(from, work);
  const point = join(work.path, "mnt");
  fs.mkdirSync(point, { recursive: true, mode: 0o700 });
  const options = `ro,nosuid,nodev,loop,offset=${piece.offset},sizelimit=${piece.size},${withoutJournal[kind]}`;
  step("mount the disk");
  const holder = await holdMounts('mount -t "$1" -o "$2" -- "$3" "$4"', [kind, options, file, point]).catch(
    (cause: unknown) => {
      if (!isTranshipError(cause, "E_TOOL_FAILED")) throw cause;
      throw unreachable(
        `cannot mount ${place.name} of ${from.raw}: ${cause.message}`,
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

/** A loop device shows one stretch of a file: a volume in several pieces is copied together, without its zeros. */
function onePiece(
  { raw, disk, place }: { raw: string; disk: DiskFile; place: Place },
  work: WorkDirectory,
): { file: string; piece: Piece } {
  const [first] = place.pieces;
  if (first !== undefined && place.pieces.length === 1) return { file: raw, piece: first };
  const file = join(work.path, "volume.raw");
  step("copy a volume together");
  const fd = fs.openSync(file, "w", 0o600);
  let size = 0;
  try {
    for (const piece of place.pieces) {
      disk.copy(piece, fd, size);
      size += piece.size;
    }
    fs.ftruncateSync(fd, size);
  } catch (cause) {
    throw ioError(`cannot write ${file}`, cause);
  } finally {
    fs.closeSync(fd);
  }
  return { file, piece: { offset: 0, size } };
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

  /** To a place of another file, whose holes stay where there are only zeros. */
  copy(piece: Piece, to: number, at: number): void {
    for (let done = 0; done < piece.size; done += copied) {
      const bytes = this.read(piece.offset + done, Math.min(copied, piece.size - done));
      if (bytes.some((byte) => byte !== 0)) fs.writeSync(to, bytes, 0, bytes.length, at + done);
    }
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}

const copied = 1 << 20;

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
