// The state root: one directory that holds the store, the instances and the journal. Two roots never see each other.
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { isTranshipError, TranshipError } from "../base/errors.ts";
import { createExclusive, errnoOf, ioError, makeDirectory, readJson, writeFileAtomic } from "./files.ts";

/** Raised when the layout of the state root changes; older ones are migrated, newer ones refused. */
const stateVersion = 1;

export interface StateRoot {
  readonly path: string;
  /** OCI image layout: the packages. */
  readonly store: string;
  /** Unpacked layers by diffID, the lower directories of overlays. */
  readonly layers: string;
  readonly instances: string;
  readonly volumes: string;
  /** Content read from far machines, kept so that it is not read again; may be removed at any time. */
  readonly fetched: string;
  /** Work of commands that are under way; emptied by the next command where its owner died. */
  readonly work: string;
  readonly locks: string;
  readonly journal: string;
}

/** Of root. */
export const usualRoot = "/var/lib/tranship";

export function defaultStateRoot(env: NodeJS.ProcessEnv = process.env): string {
  const chosen = env.TRANSHIP_ROOT;
  if (chosen !== undefined && chosen !== "") return resolve(chosen);
  if (process.getuid?.() === 0) return usualRoot;
  const data = env.XDG_DATA_HOME;
  return join(
    data !== undefined && data !== ""
      ? data
      : join(process.getBuiltinModule("node:os").homedir(), ".local/share"),
    "tranship",
  );
}

/** Opens or creates a state root. E_STATE_VERSION where a newer Tranship wrote it. */
export function openStateRoot(path: string): StateRoot {
  const root: StateRoot = {
    path,
    store: join(path, "store"),
    layers: join(path, "layers"),
    instances: join(path, "instances"),
    volumes: join(path, "volumes"),
    fetched: join(path, "fetched"),
    work: join(path, "work"),
    locks: join(path, "locks"),
    journal: join(path, "journal"),
  };
  const versionFile = versionIn(path);
  const { path: top, ...below } = root;
  // Where all of a state root is there, it is one: what says so was lost, or damaged, by a disk.
  const isWhole = Object.values(below).every((directory) => existsSync(directory));
  const version = readVersion(versionFile);
  if (version === "damaged" && !isWhole) {
    throw new TranshipError("E_STATE_CORRUPT", `${versionFile} names no version`, {
      hint: "choose another directory with --root; this one is no state root of Tranship",
    });
  }
  if (typeof version === "number" && version > stateVersion) {
    throw new TranshipError(
      "E_STATE_VERSION",
      `${path} has state version ${version}, this tool knows ${stateVersion}`,
      {
        hint: "use the newer Tranship that wrote it, or another directory with --root",
      },
    );
  }
  if (version === undefined && !isWhole) refuseForeign(path);
  if (version === undefined) makeDirectory(top, 0o711);
  for (const directory of Object.values(below))
    if (version === undefined || !existsSync(directory)) makeDirectory(directory);
  const text = `${JSON.stringify({ tranship: "state", version: stateVersion })}\n`;
  if (version === undefined) createExclusive(versionFile, text);
  else if (version === "damaged") writeFileAtomic(versionFile, text);
  return root;
}

/** undefined where there is none. */
function readVersion(file: string): number | "damaged" | undefined {
  try {
    const seen = readJson(file) as { version?: unknown } | null | undefined;
    if (seen === undefined) return undefined;
    return typeof seen?.version === "number" ? seen.version : "damaged";
  } catch (error) {
    if (!isTranshipError(error, "E_STATE_CORRUPT")) throw error;
    return "damaged";
  }
}

/** Whether there is one: openStateRoot() would make none. */
export function isStateRoot(path: string): boolean {
  return existsSync(versionIn(path));
}

function versionIn(path: string): string {
  return join(path, "version.json");
}

/** A directory with other content is somebody's own: nothing of ours goes there. What a killed first command left is ours. */
function refuseForeign(path: string): void {
  const ours =
    /^(store|layers|instances|volumes|fetched|work|locks|journal|lost\+found|\.\d+-[0-9a-f]+\.tmp)$/;
  const foreign = namesIn(path).find((name) => !ours.test(name));
  if (foreign === undefined) return;
  throw new TranshipError(
    "E_USAGE",
    `${path} is no state root of Tranship: it holds ${JSON.stringify(foreign)}`,
    {
      hint: "choose an empty or a new directory with --root",
    },
  );
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw ioError(`cannot use ${path} as the state root`, cause);
  }
}
