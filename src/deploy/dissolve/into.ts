// A package becomes a native installation in a system: its files are made in a directory beside and moved to their places one by one, users and
// units are added. The manifest knows each of them before it is there.
import { chmodSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes, unescapeBytes } from "../../formats/escape.ts";
import { makeDirectory, readText, syncDirectory, writeFileAtomic } from "../../host/files.ts";
import { run } from "../../host/process.ts";
import { step } from "../../host/steps.ts";
import type { Flattened } from "../../image/flatten.ts";
import type { LayerEvent } from "../../image/layer-reader.ts";
import { makeTree } from "../../image/make-tree.ts";
import { Inside } from "./inside.ts";
import { type Manifest, manifestDirectory, type PutObject, readManifest, writeManifest } from "./manifest.ts";
import type { DissolvePlan, DissolveSource } from "./plan.ts";
import { undoDissolve } from "./undo.ts";

export interface Dissolved {
  id: string;
  added: number;
  replaced: number;
  /** Where the system has another object, which counts. */
  kept: number;
  units: string[];
  users: string[];
}

export interface IntoRequest {
  source: DissolveSource;
  flattened: Flattened;
  top: string;
  log: Log;
}

/** E_DEPLOYED where it was dissolved there already. What an earlier try left is undone first: call before the plan is made. */
export function beginDissolve(top: string, id: string, log: Log): void {
  const known = readManifest(top, id);
  if (known === undefined) return;
  if (known.state === "pending") {
    log.warn(`${id}: an earlier dissolve was broken off: it is undone`);
    undoDissolve(top, id, log);
    return;
  }
  throw new TranshipError("E_DEPLOYED", `${id} is dissolved in ${top} already`, {
    hint: "take it out first: tranship package dissolve --undo",
  });
}

export async function dissolveInto(request: IntoRequest, plan: DissolvePlan): Promise<Dissolved> {
  const { source, top, log } = request;
  const { metadata } = source.descriptor;
  const directory = manifestDirectory(top, metadata.id);
  const manifest: Manifest = {
    tranship: "dissolved",
    version: 1,
    id: metadata.id,
    reference: source.image.name ?? "",
    digest: source.image.target.digest,
    state: "pending",
    put: putObjects(source, plan, new Inside(top)),
    lines: { "/etc/passwd": plan.accounts.passwd, "/etc/group": plan.accounts.group },
  };
  writeManifest(top, manifest);
  try {
    const staging = join(directory, "staging");
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging, { mode: 0o755 });
    const wanted = new Set([...plan.add, ...plan.replace]);
    await makeTree(staging, chosen(request.flattened.events(), wanted, plan), {}, (reason) =>
      failure(top, reason),
    );
    place(new Inside(top), staging, directory, manifest);
    for (const unit of plan.units) writeUnit(top, unit);
    for (const [link, unit] of plan.enabled) enableUnit(top, link, unit);
    for (const [file, lines] of Object.entries(manifest.lines)) addLines(top, file, lines);
    rmSync(staging, { recursive: true, force: true });
    await refreshLibraries(top, log);
    writeManifest(top, { ...manifest, state: "done" });
  } catch (error) {
    undoDissolve(top, metadata.id, log);
    throw error;
  }
  return {
    id: metadata.id,
    added: plan.add.length,
    replaced: plan.replace.length,
    kept: plan.kept.length,
    units: plan.units.map((one) => one.path),
    users: plan.accounts.passwd.map((line) => line.split(":")[0] ?? ""),
  };
}

function putObjects({ tree }: DissolveSource, plan: DissolvePlan, inside: Inside): PutObject[] {
  const replaced = new Map(plan.replace.map((path, i) => [path, i + 1]));
  const files = [...plan.add, ...plan.replace].sort().flatMap((path): PutObject[] => {
    const entry = tree.at(path)?.entry;
    const saved = replaced.get(path);
    return [{ ...describe(path, entry), ...(saved === undefined ? {} : { saved }) }];
  });
  const ours = [...plan.units.map((unit) => unit.path), ...plan.enabled.keys()];
  // Their times are not known yet: they are ours as long as they are there.
  const units = ours.map((path): PutObject => ({ path, kind: "other", size: -1, mtime: "" }));
  const above = new Set(
    ours.map((path) => dirname(path)).filter((path) => inside.stat(path) === undefined && !tree.has(path)),
  );
  return [
    ...files,
    ...[...above].map((path): PutObject => ({ path, kind: "directory", size: -1, mtime: "" })),
    ...units,
  ];
}

/** Without an entry it is a directory that only names below it tell of. */
function describe(path: ByteString, entry: Entry | undefined): PutObject {
  const kind = entry?.kind ?? "directory";
  const known = kind === "file" || kind === "directory" || kind === "symlink" ? kind : "other";
  return { path: escapeBytes(path), kind: known, size: entry?.size ?? 0, mtime: String(entry?.mtime ?? 0n) };
}

/** Of all objects those that are wanted, with the numbers that users have in the system. */
async function* chosen(
  events: AsyncIterable<LayerEvent>,
  wanted: ReadonlySet<ByteString>,
  { accounts }: DissolvePlan,
): AsyncGenerator<LayerEvent> {
  let shown = false;
  /** A name that is not wanted may be the one with the content: the first of its links that is takes it. */
  const first = new Map<ByteString, ByteString>();
  for await (const event of events) {
    if (event.type === "whiteout" || event.type === "opaque") continue;
    if (event.type !== "entry") {
      if (shown) yield event;
      continue;
    }
    const { entry, hardlinkTo } = event;
    shown = wanted.has(entry.path);
    if (!shown) continue;
    const uid = accounts.uids.get(entry.uid) ?? entry.uid;
    const gid = accounts.gids.get(entry.gid) ?? entry.gid;
    const target = hardlinkTo === undefined ? undefined : (first.get(hardlinkTo) ?? hardlinkTo);
    if (target !== undefined && !wanted.has(target)) {
      throw new TranshipError(
        "E_IMAGE_UNSUPPORTED",
        `${escapeBytes(entry.path)} is another name of ${escapeBytes(target)}, which the system has differently`,
        {
          hint: "remove that file of the system, or run the package as it is",
        },
      );
    }
    yield { ...event, entry: { ...entry, uid, gid }, hardlinkTo: target };
  }
}

/** Whole trees that are new are moved at once; what takes the place of something has that saved before. */
function place(inside: Inside, staging: string, directory: string, manifest: Manifest): void {
  const saved = join(directory, "saved");
  makeDirectory(saved);
  const moved: string[] = [];
  const staged = new Inside(staging);
  for (const { path, saved: number, size } of manifest.put) {
    if (size === -1 || moved.some((top) => path.startsWith(`${top}/`))) continue;
    const bytes = unescapeBytes(path);
    if (number !== undefined) {
      step("save what is there");
      renameSync(inside.place(bytes), join(saved, String(number)));
    }
    step("put an object in its place");
    renameSync(staged.place(bytes), inside.place(bytes));
    if (lstatSync(inside.place(bytes)).isDirectory()) moved.push(path);
  }
}

function writeUnit(top: string, { path, content }: DissolvePlan["units"][number]): void {
  const put = new Inside(top).place(path).toString();
  step("write a unit");
  makeDirectory(dirname(put), 0o755);
  writeFileAtomic(put, content, { mode: 0o644 });
}

function enableUnit(top: string, path: string, unit: string): void {
  const link = new Inside(top).place(path).toString();
  step("enable a unit");
  makeDirectory(dirname(link), 0o755);
  rmSync(link, { force: true });
  symlinkSync(unit, link);
}

/** Passwords are not carried: an account that is added cannot log in by one. */
function addLines(top: string, file: string, lines: readonly ByteString[]): void {
  if (lines.length === 0) return;
  const path = new Inside(top).place(file).toString();
  const before = Buffer.from(readText(path) === undefined ? "" : readFileSync(path)).toString("latin1");
  const text = `${before}${before === "" || before.endsWith("\n") ? "" : "\n"}${lines.join("\n")}\n`;
  step("add users and groups");
  writeFileAtomic(path, Buffer.from(text, "latin1"), { mode: 0o644 });
  chmodSync(path, 0o644);
  syncDirectory(dirname(path));
}

async function refreshLibraries(top: string, log: Log): Promise<void> {
  const { status, stderr } = await run("ldconfig", ["-r", top]).catch((error: unknown) => ({
    status: 127,
    stderr: String(error),
  }));
  if (status !== 0) log.warn(`ldconfig -r ${top}: ${stderr.trim()}`);
}

function failure(top: string, reason: string): TranshipError {
  const code = /No space left on device|Disk quota exceeded/.test(reason) ? "E_NO_SPACE" : "E_IO";
  return new TranshipError(code, `cannot write below ${top}: ${reason}`, { hint: "nothing of it stays" });
}
