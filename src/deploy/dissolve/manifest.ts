// What a dissolve has put into a system, in the system itself: below /var/lib/tranship-dissolved/ID. It is written before anything is changed,
// so that what was killed can be undone as well.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import { makeDirectory, readJson, writeFileAtomic } from "../../host/files.ts";
import { step } from "../../host/steps.ts";

/** How an object was when it was put there: what differs now was changed by somebody. */
export interface PutObject {
  /** Printable, see formats/escape.ts. */
  path: string;
  kind: "file" | "directory" | "symlink" | "other";
  size: number;
  /** Nanoseconds. */
  mtime: string;
  /** What was there before is kept under this number. */
  saved?: number;
}

export interface Manifest {
  tranship: "dissolved";
  version: 1;
  id: string;
  reference: string;
  digest: string;
  state: "pending" | "done";
  put: PutObject[];
  /** Lines added, by file. */
  lines: Record<string, ByteString[]>;
}

export function manifestDirectory(top: string, id: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id)) {
    throw new TranshipError("E_USAGE", `the id ${JSON.stringify(id)} cannot name a directory`, {
      hint: "change it: tranship package edit --set metadata.id=NAME; --undo takes the id, not a reference",
    });
  }
  return join(top, "var/lib/tranship-dissolved", id);
}

export function readManifest(top: string, id: string): Manifest | undefined {
  const value = readJson(join(manifestDirectory(top, id), "manifest.json")) as Manifest | undefined;
  if (value === undefined || (value.tranship === "dissolved" && value.version === 1)) return value;
  throw new TranshipError(
    "E_STATE_VERSION",
    `${manifestDirectory(top, id)} is of another version of Tranship`,
    {
      hint: "use the newer Tranship that wrote it",
    },
  );
}

export function writeManifest(top: string, manifest: Manifest): void {
  const directory = manifestDirectory(top, manifest.id);
  makeDirectory(directory, 0o755);
  step("write the manifest of the dissolve");
  writeFileAtomic(join(directory, "manifest.json"), `${JSON.stringify(manifest)}\n`);
}

export function dissolvedIds(top: string): string[] {
  const directory = join(top, "var/lib/tranship-dissolved");
  return existsSync(directory) ? readdirSync(directory).sort() : [];
}
