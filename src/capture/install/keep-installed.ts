// What an installer wrote is let go when its capture ends. A plan that is to be carried out later keeps it: in the directory beside the plan
// that also holds recovered files, under its own paths, so that the machine is seen through it again (recovered-files.ts).
import { TranshipError } from "../../base/errors.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { makeDirectory } from "../../host/files.ts";
import { step } from "../../host/steps.ts";
import type { LayerEvent } from "../../image/layer-reader.ts";
import { makeTree } from "../../image/make-tree.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Plan, RecoveredFile } from "../plan/plan.ts";
import { ContentHash } from "../process/content-hash.ts";
import { makeRecoveryBeside } from "../process/recovery-directory.ts";

/** changed: what the installer made or changed. Returns those of it that are planned, with their digests. */
export async function keepInstalled(
  after: Machine,
  plan: Plan,
  changed: ReadonlySet<ByteString>,
  planFile: string,
): Promise<RecoveredFile[]> {
  const paths = plan.groups.flatMap((group) => group.files).filter((path) => changed.has(path));
  const directory = makeRecoveryBeside(planFile);
  makeDirectory(directory);
  step("keep what was installed");
  const kept: RecoveredFile[] = [];
  await makeTree(directory, eventsOf(after, paths.sort(), kept), {}, (reason) => {
    return new TranshipError("E_IO", `cannot keep what was installed in ${directory}: ${reason}`, {
      hint: "is there room, and may extended attributes be set there? --output names another place",
    });
  });
  return kept;
}

async function* eventsOf(
  after: Machine,
  paths: readonly ByteString[],
  kept: RecoveredFile[],
): AsyncGenerator<LayerEvent, void, void> {
  const made = new Set<ByteString>();
  const inodes = new Map<string, RecoveredFile>();
  for (const path of paths) {
    for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1)) {
      const parent = path.slice(0, at);
      if (made.has(parent)) continue;
      made.add(parent);
      yield { type: "entry", entry: await entryOf(after, parent), hardlinkTo: undefined };
    }
    if (made.has(path)) {
      kept.push({ path, why: "installed", digest: "" });
      continue;
    }
    made.add(path);
    const entry = await entryOf(after, path);
    const inode = entry.kind === "file" && entry.nlink > 1 ? `${entry.dev}:${entry.ino}` : "";
    const first = inodes.get(inode);
    const one: RecoveredFile = { path, why: "installed", digest: first?.digest ?? "" };
    kept.push(one);
    if (inode !== "" && first === undefined) inodes.set(inode, one);
    if (entry.kind === "file" && first === undefined) yield* contentOf(after, entry, one);
    else yield { type: "entry", entry, hardlinkTo: first?.path };
  }
}

async function entryOf(after: Machine, path: ByteString): Promise<Entry> {
  const entry = await after.files.stat(path);
  if (entry !== undefined) return entry;
  throw new TranshipError(
    "E_SOURCE_CHANGED",
    `${escapeBytes(path)} is gone while it is kept beside the plan`,
  );
}

async function* contentOf(
  after: Machine,
  planned: Entry,
  one: RecoveredFile,
): AsyncGenerator<LayerEvent, void, void> {
  const stream = await after.files.stream(planned.path);
  if (stream === undefined)
    throw new TranshipError(
      "E_IO",
      `${escapeBytes(planned.path)} cannot be read while it is kept beside the plan`,
    );
  const hash = new ContentHash();
  yield { type: "entry", entry: stream.entry, hardlinkTo: undefined };
  for await (const { offset, bytes } of stream.data) {
    hash.add(offset, bytes);
    yield { type: "data", offset, bytes };
  }
  yield { type: "end" };
  one.digest = hash.end(stream.entry.size);
}
