// An unpacked or mounted root file system as a machine.
import { realpath, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { TranshipError } from "../base/errors.ts";
import type { Machine } from "./machine.ts";
import { TreeFiles } from "./tree-files.ts";

export async function openRootfs(address: string, directory: string): Promise<Machine> {
  const root = await rootDirectory(address, directory);
  const files = new TreeFiles(root);
  return { address, kind: "rootfs", root, files, live: false, notes: [], close: () => files.close() };
}

async function rootDirectory(address: string, directory: string): Promise<string> {
  if (directory === "") {
    throw new TranshipError("E_MACHINE_UNREACHABLE", `${address} names no directory`, {
      hint: "write rootfs:DIR, for example rootfs:/srv/old-root",
    });
  }
  let root: string;
  try {
    root = await realDirectory(directory);
    if (!(await stat(root)).isDirectory()) {
      throw new TranshipError("E_MACHINE_UNREACHABLE", `${directory} is not a directory`, {
        hint: "unpack or mount the root file system first, then name the directory",
      });
    }
  } catch (cause) {
    if (cause instanceof TranshipError) throw cause;
    const reason = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new TranshipError("E_MACHINE_UNREACHABLE", `cannot open ${directory}: ${reason}`, {
      hint: "name a directory that holds the root file system of the machine",
      cause,
    });
  }
  if (!(await holdsSystem(root))) {
    throw new TranshipError(
      "E_MACHINE_UNREACHABLE",
      `${directory} holds no operating system: no /etc and no /usr`,
      {
        hint: "name the directory that is the root of the machine, above etc and usr",
      },
    );
  }
  return root;
}

/** Links of /proc (PID/root, PID/cwd) lead where the path that they show does not: such a directory keeps its name. */
async function realDirectory(directory: string): Promise<string> {
  const path = await realpath(directory);
  const [shown, meant] = await Promise.all([stat(path), stat(directory)]);
  return shown.dev === meant.dev && shown.ino === meant.ino ? path : resolve(directory);
}

/** Whether this directory of the host is the root of an operating system. */
export async function holdsSystem(root: string): Promise<boolean> {
  for (const name of ["etc", "usr"]) {
    const found = await stat(join(root, name)).catch(() => undefined);
    if (found?.isDirectory()) return true;
  }
  return false;
}
