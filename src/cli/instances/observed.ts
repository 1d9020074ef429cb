// What observed instances looked for in vain: from the records of their starts, or from a file that `misses --format json` wrote.
import { createReadStream } from "node:fs";
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import type { EvidenceDocument } from "../../capture/evidence/evidence-document.ts";
import { evidenceOf } from "../../capture/evidence/read-evidence.ts";
import { type Lookup, LookupReducer } from "../../capture/evidence/reduce-lookups.ts";
import { judgeLookups, type Miss, missStates } from "../../capture/misses/misses.ts";
import { escapeBytes, unescapeBytes } from "../../formats/escape.ts";
import { TraceDecoder } from "../../formats/trace-records.ts";
import { readInput } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import type { Machine } from "../../machine/machine.ts";
import { findInstance, type Instance, listInstances } from "../../runtime/find.ts";
import { layerDirectories } from "../../runtime/image.ts";
import { canonicalIn } from "../../runtime/layer-links.ts";
import { observedFiles } from "../../runtime/observe.ts";
import { statusOf } from "../../runtime/state.ts";
import { readTetherLog } from "../../runtime/tether-log.ts";
import type { Context } from "../context.ts";

export interface Observed {
  readonly lookups: readonly Lookup[];
  /** Why there may be more. */
  readonly gaps: readonly string[];
}

/** All kept starts of an instance together. E_INSTANCE_STATE where it was never observed. */
export async function observedLookups(instance: Instance): Promise<Observed> {
  const { record, paths } = instance;
  const files = observedFiles(instance);
  if (files.length === 0) {
    throw new TranshipError("E_INSTANCE_STATE", `the instance ${record.name} was not observed`, {
      hint: "start one with `tranship run --observe`",
    });
  }
  const reducer = new LookupReducer();
  for (const [index, file] of files.entries()) {
    const decoder = new TraceDecoder();
    reducer.restart();
    for await (const chunk of createReadStream(file) as AsyncIterable<Uint8Array>)
      for (const one of decoder.feed(chunk)) reducer.add(one);
    const runs = index === files.length - 1 && statusOf(paths, record.id).state === "running";
    if (!decoder.ended && !runs && reducer.gaps.size === 0)
      reducer.gaps.add("the record of a start breaks off: its instance was killed, or the disk was full");
  }
  return { lookups: [...reducer.lookups.values()], gaps: [...reducer.gaps].map(escapeBytes) };
}

/** By name or id, or all observed ones of a package. E_INSTANCE_NOT_FOUND. */
export function observedInstances(root: StateRoot, text: string): Instance[] {
  try {
    return [findInstance(root, text)];
  } catch (error) {
    if (!isTranshipError(error, "E_INSTANCE_NOT_FOUND")) throw error;
    const of = listInstances(root).filter(
      ({ record }) =>
        record.observe !== undefined &&
        (record.image.reference === text || `${record.image.reference}:latest` === text),
    );
    if (of.length === 0) throw error;
    return of;
  }
}

/** Judged by the evidence of the package that the instance was made of. */
export async function missesOf(
  instance: Instance,
  lookups: readonly Lookup[],
  machine: Machine | undefined,
  context: Pick<Context, "root" | "log">,
): Promise<Miss[]> {
  const { image } = instance.record;
  const layers = await layerDirectories(context.root, image.diffIds);
  return await judgeLookups({
    lookups,
    evidence: evidenceFor(image.digest, image.reference, context),
    machine,
    canonical: (path) => canonicalIn(layers, path),
  });
}

function evidenceFor(
  digest: string,
  reference: string,
  { root, log }: Pick<Context, "root" | "log">,
): EvidenceDocument | undefined {
  try {
    return evidenceOf(root, digest);
  } catch (error) {
    if (!isTranshipError(error, "E_IMAGE_NOT_FOUND") && !isTranshipError(error, "E_IMAGE_UNSUPPORTED"))
      throw error;
    log.warn(`no evidence for ${reference} as this instance has it: what was left out is not known`);
    return undefined;
  }
}

/** What a tethered instance has fetched, as what was looked for: names that came with their directory as what was read. */
export function fetchedLookups(instance: Instance): Lookup[] {
  return readTetherLog(instance)
    .filter(({ state }) => state === "fetched")
    .map(({ path, use, by, kind }) => ({
      path,
      use: kind === "directory" ? "stat" : useOf(use),
      by,
      fetched: true,
    }));
}

/** What became of each name that a tethered instance asked its source for. */
export function tetherMisses(instance: Instance): Miss[] {
  return readTetherLog(instance).map(({ path, use, by, state, why }) => ({
    path,
    use: useOf(use),
    by,
    state: state === "unreachable" ? "unknown" : state,
    why: state === "unreachable" ? "the source could not be reached" : why,
  }));
}

const maxFile = 64 << 20;

/** For --add-misses. A word with a slash, or that ends with .json, is a file. */
export async function givenLookups(word: string, { root, log }: Context): Promise<Lookup[]> {
  if (word.includes("/") || word.endsWith(".json")) return readLookups(word);
  const found = [];
  for (const instance of observedInstances(root, word)) {
    const { lookups, gaps } = await observedLookups(instance);
    for (const gap of gaps) log.warn(`${instance.record.name}: ${gap}`);
    found.push(...fetchedLookups(instance), ...lookups);
  }
  return found;
}

function readLookups(file: string): Lookup[] {
  const text = readInput(file, "the misses", maxFile);
  if (text === undefined)
    throw new TranshipError("E_LIMIT", `the misses ${file} are larger than ${maxFile} bytes`);
  let rows: unknown;
  try {
    rows = JSON.parse(text.toString("utf8"));
  } catch (cause) {
    throw notMisses(file, "it is not JSON", cause);
  }
  if (!Array.isArray(rows)) throw notMisses(file, "it is no list");
  return rows.map((row: unknown, index) => {
    const { path, use, program, state } = (row ?? {}) as Record<string, unknown>;
    const known = missStates.some((one) => one === state);
    if (typeof path !== "string" || !path.startsWith("/") || typeof program !== "string" || !known)
      throw notMisses(file, `entry ${index + 1} is none: path, program and state are needed`);
    return { path: unescapeBytes(path), use: useOf(use), by: unescapeBytes(program) };
  });
}

/** What decides is whether it was to be opened; all else is a look. */
function useOf(text: unknown): Lookup["use"] {
  return text === "read" || text === "list" || text === "exec" ? text : "stat";
}

function notMisses(file: string, what: string, cause?: unknown): TranshipError {
  return new TranshipError("E_USAGE", `${file} holds no misses: ${what}`, {
    hint: "write it with `tranship misses INSTANCE --format json`",
    cause,
  });
}
