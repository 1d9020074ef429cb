// An archive of a root, unpacked into a work directory: plain or packed by gzip, zstd or xz.
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import type { ImageKind } from "../../formats/disk-image.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { spawnError } from "../../host/process.ts";
import { step } from "../../host/steps.ts";
import type { WorkDirectory } from "../../host/work.ts";
import { decompress } from "../../image/decompress.ts";
import { readTarObjects } from "../../image/layer-reader.ts";
import { makeTree } from "../../image/make-tree.ts";
import { LeftOutDevices } from "../left-out-devices.ts";
import type { Machine } from "../machine.ts";
import { holdsSystem } from "../rootfs.ts";
import { TreeFiles } from "../tree-files.ts";
import { unreachable } from "./unreachable.ts";

export async function openArchive(
  address: string,
  path: string,
  kind: ImageKind,
  work: WorkDirectory,
): Promise<Machine> {
  const directory = join(work.path, "fs");
  fs.mkdirSync(directory, { mode: 0o755 });
  step("unpack the disk");
  const devices = new LeftOutDevices();
  try {
    await makeTree(directory, readTarObjects(tarOf(path, kind), devices), {}, (reason, at) => {
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
    notes: devices.notes(),
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
