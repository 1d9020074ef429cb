// The files of an instance of the in-process engine: the package's tree, copied into the instance's own directory.
import { lstatSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { writeFilePlain } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { type Flattened, flattenImage } from "../../image/flatten.ts";
import type { LayerEvent } from "../../image/layer-reader.ts";
import { makeTree } from "../../image/make-tree.ts";
import { openStore } from "../../image/store.ts";
import { hostsText, resolvText } from "../network/files.ts";
import { redirectedNames } from "../network/redirected-names.ts";
import type { InstanceRecord } from "../record.ts";
import type { Owner } from "./one-user.ts";
import { noted } from "./users.ts";

/** An image, and those that lie below it, the lowest one first: see links.ts. */
export interface WholePackage {
  readonly reference: string;
  readonly below: readonly string[];
}

async function flattened(root: StateRoot, { reference, below }: WholePackage): Promise<Flattened> {
  const store = openStore(root);
  const [image, ...others] = [reference, ...below].map((one) => {
    const { name, target } = store.resolve(one);
    return store.imageOf(target, name);
  });
  if (image === undefined) throw new Error("unreachable");
  const layers = [...others, image].flatMap((one) => one.layers);
  return await flattenImage(store, { ...image, layers });
}

/** Makes `destination`, which must not be there, and everything that the image shows in it. */
export async function copyPackage(
  root: StateRoot,
  whole: WholePackage,
  destination: string,
  view: boolean,
): Promise<void> {
  const { reference } = whole;
  const { events } = await flattened(root, whole);
  mkdirSync(destination, { mode: 0o755 });
  await makeTree(destination, harmless(events(), lender(view)), {}, (reason, path) => {
    const place = path === undefined ? "" : ` at ${escapeBytes(path)}`;
    return new TranshipError("E_IO", `cannot copy ${reference} into ${destination}${place}: ${reason}`, {
      hint: "see whether the file system of the state root has room and is no network file system",
    });
  });
}

/** What copyPackage() makes of each path, the root too. */
export async function packageEntries(
  root: StateRoot,
  whole: WholePackage,
  view: boolean,
): Promise<ReadonlyMap<ByteString, Entry>> {
  const { tree } = await flattened(root, whole);
  const lend = lender(view);
  const entries = new Map<ByteString, Entry>();
  for (const [path, { entry }] of tree.all()) if (!isDevice(entry)) entries.set(path, lend(entry));
  return entries;
}

function isDevice({ kind }: Entry): boolean {
  return kind === "character" || kind === "block";
}

/** Whose all files and programs are; undefined: those whom the package names, which only root can do. */
export function ordinaryUser(): Owner | undefined {
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
  return uid === 0 ? undefined : { uid, gid };
}

/**
 * Without devices, as the host's /dev is seen, and without set-id bits: the engine starts no such program, and nobody else of the host shall find
 * a way to root there.
 */
async function* harmless(
  events: AsyncIterable<LayerEvent>,
  lend: (entry: Entry) => Entry,
): AsyncGenerator<LayerEvent, void, void> {
  const left = new Set<string>();
  let skips = false;
  for await (const event of events) {
    if (event.type !== "entry") {
      if (!skips) yield event;
      continue;
    }
    const { entry, hardlinkTo } = event;
    const device = isDevice(entry);
    skips = device || (hardlinkTo !== undefined && left.has(hardlinkTo));
    if (device) left.add(entry.path);
    if (!skips) yield { ...event, entry: lend(entry) };
  }
}

const setId = 0o6000;

/** `view`: whose they are in the package is noted beside. */
function lender(view: boolean): (entry: Entry) => Entry {
  const all = ordinaryUser();
  if (!view || all === undefined) return (entry) => lent(entry, all);
  return (entry) => noted(entry, lent(entry, all));
}

function lent(entry: Entry, all: Owner | undefined): Entry {
  const mode = entry.kind === "directory" ? entry.mode : entry.mode & ~setId;
  const kept = { ...entry, mode, xattrs: entry.xattrs.filter(([name]) => name !== "security.capability") };
  if (all === undefined) return kept;
  // One who is not root has to pass and to remove all of it.
  const own = entry.kind === "directory" ? 0o700 : 0o400;
  return {
    ...kept,
    ...all,
    mode: entry.kind === "symlink" ? mode : mode | own,
    xattrs: kept.xattrs.filter(([name]) => name.startsWith("user.")),
  };
}

/** Names and resolvers as this host has them, and the instance's own name. Nothing of the instance runs yet. */
export async function writeNames(record: InstanceRecord, tree: string): Promise<void> {
  // A link there leads who knows where.
  if (lstatSync(join(tree, "etc"), { throwIfNoEntry: false })?.isDirectory() !== true) return;
  const domain = record.identity?.domain ?? null;
  const redirected = await redirectedNames(record, [tree], () => false);
  const texts = {
    hosts: hostsText([tree], { hostname: record.hostname, address: null, domain, redirected }),
    hostname: `${record.hostname}\n`,
    "resolv.conf": resolvText(false, domain),
  };
  for (const [name, text] of Object.entries(texts)) {
    const path = join(tree, "etc", name);
    rmSync(path, { recursive: true, force: true });
    writeFilePlain(path, text, 0o644);
  }
}
