// The installation as it goes to a far node: programs, schemas, and the Node that runs them where the node has none. One archive, named by its content.
import { createHash } from "node:crypto";
import { createReadStream, existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { TranshipError } from "../../base/errors.ts";
import type { Entry } from "../../formats/entry.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../formats/tar.ts";
import { installRoot } from "../../host/native.ts";

/** What an installation needs to run, but for Node. */
export const installedParts: readonly string[] = ["bin", "dist", "native/bin", "schemas", "package.json"];
/** Where bin/tranship looks for Node first. */
const nodeInside = `node_modules/node-linux-${process.arch}/bin/node`;
/** The last of the archive: what lacks it is not whole. */
export const completeMark = "complete";

interface BundleFile {
  /** Relative. */
  path: string;
  from: string;
  mode: number;
  size: number;
}

export interface Bundle {
  /** Of paths, modes and contents: 64 hexadecimal digits. */
  digest: string;
  /** Bytes before they are compressed. */
  size: number;
  /** Gzip of a tar archive. */
  stream(): Readable;
}

/** E_TOOL_MISSING where this installation has not been built: sources alone do not run elsewhere. */
export function checkBuilt(): void {
  if (existsSync(join(installRoot, "dist/start.cjs"))) return;
  throw new TranshipError(
    "E_TOOL_MISSING",
    `${installRoot}/dist does not exist: Tranship has not been built`,
    {
      hint: "run `npm run build` in the checkout",
    },
  );
}

export function makeBundle(withNode: boolean): Bundle {
  checkBuilt();
  const files = installedParts.flatMap((part) => filesOf(part));
  if (withNode) files.push({ ...fileAt(nodeInside, process.execPath), mode: 0o755 });
  const hash = createHash("sha256");
  for (const { path, from, mode } of files)
    hash.update(`${path}\n${mode}\n${createHash("sha256").update(readFileSync(from)).digest("hex")}\n`);
  const digest = hash.digest("hex");
  return {
    digest,
    size: files.reduce((sum, { size }) => sum + size, 0),
    stream: () => Readable.from(archive(files, digest)).pipe(createGzip({ level: 1 })),
  };
}

function filesOf(part: string): BundleFile[] {
  const from = join(installRoot, part);
  if (!existsSync(from)) return [];
  if (!lstatSync(from).isDirectory()) return [fileAt(part, from)];
  return readdirSync(from, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => fileAt(`${part}/${name}`, join(from, name)))
    .filter(({ from: file }) => lstatSync(file).isFile());
}

function fileAt(path: string, from: string): BundleFile {
  const { mode, size } = lstatSync(from);
  return { path, from, mode: (mode & 0o111) === 0 ? 0o644 : 0o755, size };
}

async function* archive(files: readonly BundleFile[], digest: string): AsyncGenerator<Uint8Array> {
  const made = new Set<string>();
  for (const file of files) {
    for (const directory of parents(file.path)) {
      if (made.has(directory)) continue;
      made.add(directory);
      yield header(directory, "directory", 0o755, 0);
    }
    yield header(file.path, "file", file.mode, file.size);
    yield* createReadStream(file.from);
    yield new Uint8Array(tarPadding(file.size));
  }
  const mark = Buffer.from(`${digest}\n`);
  yield header(completeMark, "file", 0o644, mark.length);
  yield mark;
  yield new Uint8Array(tarPadding(mark.length));
  yield tarEnd;
}

function parents(path: string): string[] {
  const words = path.split("/").slice(0, -1);
  return words.map((_, index) => words.slice(0, index + 1).join("/"));
}

function header(path: string, kind: "file" | "directory", mode: number, size: number): Uint8Array {
  const entry: Entry = {
    path: `/${path}`, kind, mode, size, uid: 0, gid: 0, mtime: 0n, ctime: 0n, xattrs: [], extents: undefined,
    nlink: 1, dev: 0n, ino: 0n, blocks: 0, rdevMajor: 0, rdevMinor: 0, target: "",
  }; // biome-ignore format: what tar does not say
  return encodeTarHeader(entry).bytes;
}
