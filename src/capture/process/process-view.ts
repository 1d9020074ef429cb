// The machine as a running program sees it: a program in a chroot or in mounts of its own (a container, a unit with PrivateTmp)
// means other files by its paths than we do.
import { TranshipError } from "../../base/errors.ts";
import { type ProcessSnapshot, stillRuns } from "../../discover/process-snapshot.ts";
import { Source } from "../../discover/source.ts";
import type { ByteString } from "../../formats/entry.ts";
import type { Machine } from "../../machine/machine.ts";

export interface ProcessView {
  /** Its paths are those of the program. The machine itself where both see the same. */
  machine: Machine;
  /** The program has a root or mounts of its own: the view lasts as long as the process. */
  own: boolean;
  /** The root file system is the machine's own: its services and users are the program's. */
  sameRoot: boolean;
  /** The machine's host name is the program's. */
  sameName: boolean;
  /** What /proc prints of this process, as the program itself would write it; undefined outside its root. */
  inside(path: ByteString): ByteString | undefined;
}

export async function viewOf(machine: Machine, main: ProcessSnapshot): Promise<ProcessView> {
  const source = new Source(machine.files);
  const reader = async (name: string): Promise<ByteString> =>
    (await source.stat(`/proc/self/ns/${name}`))?.target ?? "";
  const mounts = await reader("mnt");
  const sameMounts = mounts !== "" && main.namespaces.mnt === mounts;
  const sameName = main.namespaces.uts === (await reader("uts"));
  if (sameMounts && main.root === "/")
    return {
      machine,
      own: false,
      sameRoot: true,
      sameName,
      inside: (path) => (path.startsWith("/") ? path : undefined),
    };
  const seen = openView(machine, main);
  try {
    const [theirs, ours] = await Promise.all([seen.files.stat("/"), machine.files.stat("/")]);
    const sameRoot = theirs !== undefined && theirs.dev === ours?.dev && theirs.ino === ours.ino;
    return { machine: seen, own: true, sameRoot, sameName, inside: (path) => below(path, main.root) };
  } catch (error) {
    await seen.close();
    throw error;
  }
}

/** For a plan that was made before: the process must still be there. The caller closes it. */
export async function reopenView(
  machine: Machine,
  process: Pick<ProcessSnapshot, "pid" | "startTime">,
): Promise<Machine> {
  if (await stillRuns(new Source(machine.files), process)) return openView(machine, process);
  throw new TranshipError(
    "E_SOURCE_CHANGED",
    `process ${process.pid} of ${machine.address}, by whose root the plan's paths are read, has ended`,
    { hint: "make the plan anew from the process that runs now" },
  );
}

function openView(machine: Machine, main: Pick<ProcessSnapshot, "pid">): Machine {
  const seen = machine.seenBy?.(main.pid);
  if (seen !== undefined) return seen;
  throw new TranshipError(
    "E_MACHINE_UNKNOWN",
    `process ${main.pid} has a root or mounts of its own, which cannot be read on ${machine.address}`,
    { hint: "run tranship on that machine itself, with local:" },
  );
}

function below(path: ByteString, root: ByteString): ByteString | undefined {
  if (!path.startsWith("/")) return undefined;
  if (root === "/" || root === "") return path;
  if (path === root) return "/";
  return path.startsWith(`${root}/`) ? path.slice(root.length) : undefined;
}
