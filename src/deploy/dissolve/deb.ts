// A package as a package of Debian: it depends on what the distribution brings, and holds the rest. What dpkg must not own (data, configuration
// files of other packages, what belongs to nobody) lies below /usr/share and is put in its place by its scripts, and only there.
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import { parseGroup, parsePasswd } from "../../formats/passwd.ts";
import { makeDirectory, syncDirectory } from "../../host/files.ts";
import { runChecked } from "../../host/process.ts";
import { step } from "../../host/steps.ts";
import { makeWorkDirectory } from "../../host/work.ts";
import type { Flattened } from "../../image/flatten.ts";
import type { LayerEvent } from "../../image/layer-reader.ts";
import { makeTree } from "../../image/make-tree.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import type { Origins } from "./bill.ts";
import { debScripts } from "./deb-scripts.ts";
import type { DissolveSource } from "./plan.ts";
import { type Sort, type Sorting, sortOf } from "./sorts.ts";
import { unitFiles } from "./units.ts";

export interface BuiltDeb {
  path: string;
  name: string;
  version: string;
  depends: string[];
  /** Objects in it, of each sort. */
  objects: Record<string, number>;
}

export interface DebRequest {
  source: DissolveSource;
  flattened: Flattened;
  origins: Origins;
  file: string;
}

/** dpkg owns what lies here alone: elsewhere it would take what others made, or write over what the application has changed. */
const dpkgs = /^\/(srv|opt|home|usr\/local)(\/|$)|^\/(?!etc|var|usr|root)[^/]+(\/|$)/;

/** Where an object lies in the .deb: "" is its own place; undefined: it is not in it. */
function placeOf(
  sort: Sort,
  path: ByteString,
  kind: Entry["kind"],
): "" | "data" | "absent" | "replace" | undefined {
  if (sort === "data") return "data";
  if (sort === "configuration") return "replace";
  if (sort === "own") return dpkgs.test(path) ? "" : "absent";
  return sort === "generated" && kind !== "directory" ? "absent" : undefined;
}

export async function buildDeb({ source, flattened, origins, file }: DebRequest): Promise<BuiltDeb> {
  const { store, descriptor } = source;
  if (descriptor.origin.os.id !== "debian" && descriptor.origin.os.id !== "ubuntu") {
    throw new TranshipError("E_USAGE", `the package is of ${descriptor.origin.os.id}, which has no .deb`, {
      hint: "dissolve it as files: --into DIR",
    });
  }
  const name = debName(descriptor.metadata.name);
  const shared = `/usr/share/tranship-dissolved/${name}`;
  const work = makeWorkDirectory(store.root, "deb");
  try {
    const staging = join(work.path, "root");
    mkdirSync(staging, { mode: 0o755 });
    const sorter = new Sorter(source, shared);
    await makeTree(staging, sorter.moved(flattened.events()), {}, (reason) => {
      const code = /No space left on device|Disk quota exceeded/.test(reason) ? "E_NO_SPACE" : "E_IO";
      return new TranshipError(code, `cannot make the package: ${reason}`);
    });
    writeLists(join(staging, shared), source, sorter);
    const depends = dependsOf(origins);
    const version = debVersion(descriptor.metadata.version);
    writeControl(staging, descriptor, { name, version, depends, shared });
    const made = join(dirname(file), `.${basename(file)}.tmp`);
    step("build the package of Debian");
    await runChecked("dpkg-deb", ["--build", "-Zgzip", staging, made]);
    await runChecked("sync", [made]);
    step("put the package of Debian in its place");
    renameSync(made, file);
    syncDirectory(dirname(file));
    return { path: file, name, version, depends, objects: sorter.counts };
  } finally {
    work.remove();
    rmSync(join(dirname(file), `.${basename(file)}.tmp`), { force: true });
  }
}

/** Goes through the objects of the package, and notes what the scripts have to know. */
class Sorter {
  readonly counts: Record<string, number> = {};
  /** mode, uid, gid and path in the .deb of what is not root's. */
  readonly owned: { mode: number; uid: number; gid: number; path: ByteString; link: boolean }[] = [];
  readonly listed: Record<"absent" | "replace", ByteString[]> = { absent: [], replace: [] };
  readonly #shared: string;
  readonly #sorting: Sorting;

  constructor({ sorting }: DissolveSource, shared: string) {
    this.#shared = shared;
    this.#sorting = sorting;
  }

  async *moved(events: AsyncIterable<LayerEvent>): AsyncGenerator<LayerEvent> {
    let shown = false;
    const sorts = new Map<ByteString, ByteString>();
    for await (const event of events) {
      if (event.type === "whiteout" || event.type === "opaque") continue;
      if (event.type !== "entry") {
        if (shown) yield event;
        continue;
      }
      const { entry, hardlinkTo } = event;
      const sort = sortOf(entry.path, entry.kind === "file", this.#sorting);
      const place = entry.path === "/" ? undefined : placeOf(sort, entry.path, entry.kind);
      shown = place !== undefined;
      if (place === undefined) continue;
      if (/[\n\t\\]/.test(entry.path)) {
        throw new TranshipError(
          "E_IMAGE_UNSUPPORTED",
          `${escapeBytes(entry.path)} cannot be named in a script of Debian`,
          {
            hint: "dissolve it as files: --into DIR",
          },
        );
      }
      const path = place === "" ? entry.path : `${this.#shared}/${place}${entry.path}`;
      sorts.set(entry.path, path);
      this.counts[sort] = (this.counts[sort] ?? 0) + 1;
      if (place === "absent" || place === "replace") this.listed[place].push(entry.path);
      if (entry.uid !== 0 || entry.gid !== 0)
        this.owned.push({
          mode: entry.mode,
          uid: entry.uid,
          gid: entry.gid,
          path,
          link: entry.kind === "symlink",
        });
      const target = hardlinkTo === undefined ? undefined : sorts.get(hardlinkTo);
      if (hardlinkTo !== undefined && target === undefined) {
        throw new TranshipError(
          "E_IMAGE_UNSUPPORTED",
          `${escapeBytes(entry.path)} is another name of ${escapeBytes(hardlinkTo)}, which is not packed`,
          {
            hint: "dissolve it as files: --into DIR",
          },
        );
      }
      yield { ...event, entry: { ...entry, path }, hardlinkTo: target };
    }
  }
}

function writeLists(directory: string, { tree, descriptor }: DissolveSource, sorter: Sorter): void {
  makeDirectory(directory, 0o755);
  const text = (path: string): ByteString => Buffer.from(tree.textOf(path) ?? []).toString("latin1");
  const users = parsePasswd(text("/etc/passwd")).entries;
  const groups = parseGroup(text("/etc/group")).entries;
  const user = new Map(users.map((one) => [one.uid, one.name]));
  const group = new Map(groups.map((one) => [one.gid, one.name]));
  const lists: Record<string, ByteString[]> = {
    groups: groups.map((one) => `${one.name}\t${one.gid}`),
    users: users.map((one) =>
      [one.name, one.uid, group.get(one.gid) ?? one.gid, one.home, one.shell].join("\t"),
    ),
    owners: sorter.owned.map((one) =>
      [
        one.link ? "link" : one.mode.toString(8),
        `${user.get(one.uid) ?? one.uid}:${group.get(one.gid) ?? one.gid}`,
        one.path,
      ].join("\t"),
    ),
    absent: sorter.listed.absent,
    replace: sorter.listed.replace,
    volumes: descriptor.volumes.map((one) => encodeText(one.path)),
  };
  for (const [name, lines] of Object.entries(lists))
    writeFileSync(
      join(directory, `${name}.list`),
      Buffer.from(lines.map((line) => `${line}\n`).join(""), "latin1"),
      { mode: 0o644 },
    );
  for (const { path, content } of unitFiles(descriptor, {
    user: (id) => user.get(id) ?? String(id),
    group: (id) => group.get(id) ?? String(id),
  })) {
    const place = join(directory, "units", path);
    makeDirectory(dirname(place), 0o755);
    writeFileSync(place, content, { mode: 0o644 });
  }
}

interface Control {
  name: string;
  version: string;
  depends: string[];
  shared: string;
}

function writeControl(
  staging: string,
  descriptor: Descriptor,
  { name, version, depends, shared }: Control,
): void {
  const control = join(staging, "DEBIAN");
  makeDirectory(control, 0o755);
  const { metadata, origin } = descriptor;
  const lines = [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${origin.architecture === "386" ? "i386" : origin.architecture}`,
    `Maintainer: ${metadata.publisher.replace(/[\r\n]+/g, " ") || "nobody"} <root@localhost>`,
    ...(depends.length === 0 ? [] : [`Depends: ${depends.join(", ")}`]),
    "Section: misc",
    "Priority: optional",
    `Description: ${metadata.name.replace(/[\r\n]+/g, " ")}, dissolved from a package of Tranship`,
  ];
  writeFileSync(join(control, "control"), `${lines.join("\n")}\n`, { mode: 0o644 });
  for (const [script, text] of Object.entries(debScripts(name, shared))) {
    writeFileSync(join(control, script), text);
    chmodSync(join(control, script), 0o755);
  }
  chmodSync(control, 0o755);
}

/** At least the versions that the package was lifted with. */
function dependsOf({ versions }: Origins): string[] {
  return [...versions].map(([name, version]) => `${name} (>= ${version})`).sort();
}

/** Policy 5.6.1: lower case, digits, + - and ., at least two. */
export function debName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9+.-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "");
  return plain.length < 2 ? `tranship-${plain || "package"}` : plain;
}

/** Policy 5.6.12: begins with a digit; without a revision, no hyphen. */
export function debVersion(version: string): string {
  const plain = version.replace(/[^A-Za-z0-9.+~]+/g, "+");
  return /^\d/.test(plain) ? plain : `0+${plain}`;
}
