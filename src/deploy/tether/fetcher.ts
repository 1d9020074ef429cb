// Brings single objects from the source into a running instance, each once: what is asked for, and is neither the instance's own business
// nor refused.
import type { Log } from "../../base/log.ts";
import type { EvidenceDocument } from "../../capture/evidence/evidence-document.ts";
import { notToFetch } from "../../capture/misses/fetch-rules.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { FileStream, MachineFiles } from "../../machine/machine.ts";
import type { TetherLog } from "../../runtime/tether-log.ts";
import { bare, type Placer } from "./placer.ts";
import type { TetherSource } from "./source.ts";

/** here: fetched, or somebody was first. absent, refused: never. unreachable: not now. */
export type FetchResult = "here" | "absent" | "refused" | "unreachable";

/** Who asked, for the log. */
export interface Asked {
  readonly use: string;
  readonly by: ByteString;
  /** The name came with its directory. */
  readonly listed?: boolean;
}

export interface FetcherParts {
  readonly source: TetherSource;
  readonly placer: Placer;
  /** Of the package; undefined where it carries none. */
  readonly evidence: EvidenceDocument | undefined;
  /** A layer of the package has it: where it is absent, the instance removed it. */
  packed(path: ByteString): boolean;
  readonly record: Pick<TetherLog, "add">;
  readonly log: Log;
}

/** Names that the instance took away and that are remembered; of more the source would be asked again. */
const mostGone = 100_000;

export class Fetcher {
  readonly #parts: FetcherParts;
  /** What was answered for good, by canonical path. */
  readonly #settled = new Map<ByteString, "absent" | "refused">();
  readonly #underWay = new Map<ByteString, Promise<FetchResult>>();
  readonly #gone = new Set<ByteString>();

  constructor(parts: FetcherParts) {
    this.#parts = parts;
  }

  /** The instance took it away itself: it is not missing. */
  gone(path: ByteString): void {
    if (this.#gone.size < mostGone) this.#gone.add(path);
  }

  /** `path`: canonical; its directory is there, it is not. */
  fetch(path: ByteString, asked: Asked): Promise<FetchResult> {
    const known = this.#settled.get(path);
    if (known !== undefined) return Promise.resolve(known);
    const before = this.#underWay.get(path);
    if (before !== undefined) return before;
    const fetching = this.#fetch(path, asked).finally(() => this.#underWay.delete(path));
    this.#underWay.set(path, fetching);
    return fetching;
  }

  /** Whether the source has the whole of a path: else no directory on the way is worth fetching. */
  async knows(path: ByteString, follow: boolean, asked: Asked): Promise<FetchResult> {
    const known = this.#settled.get(path);
    if (known !== undefined) return known;
    const { source, evidence } = this.#parts;
    const told = await source.ask(async (files) => {
      const entry = await files.stat(path, { follow });
      if (entry === undefined) return undefined;
      return { entry, why: await notToFetch(files, { ...entry, path }, evidence) };
    });
    if (told === undefined) {
      this.#note(path, "unreachable", "", undefined, "", asked);
      return "unreachable";
    }
    if (told.told === undefined) {
      this.#note(path, "absent", "", undefined, "", asked);
      return this.#settle(path, "absent");
    }
    const { entry, why } = told.told;
    return why === undefined ? "here" : this.#refuse(path, why, entry, asked);
  }

  /** Whether the instance had it, and has taken it away. */
  removed(path: ByteString): boolean {
    return this.#gone.has(path) || this.#parts.packed(path);
  }

  async #fetch(path: ByteString, asked: Asked): Promise<FetchResult> {
    if (this.removed(path)) return this.#settle(path, "refused");
    try {
      const told = await this.#parts.source.ask((files) => this.#bring(files, path, asked));
      if (told !== undefined) return told.told;
      this.#note(path, "unreachable", "", undefined, "", asked);
      return "unreachable";
    } catch (error) {
      // One file that cannot be had must not end the instance.
      this.#parts.log.warn(`tether: ${escapeBytes(path)} cannot be fetched: ${(error as Error).message}`);
      return this.#refuse(path, `cannot be fetched: ${(error as Error).message}`, undefined, asked);
    }
  }

  async #bring(files: MachineFiles, path: ByteString, asked: Asked): Promise<FetchResult> {
    const entry = await files.stat(path);
    if (entry === undefined) {
      this.#note(path, "absent", "", undefined, "", asked);
      return this.#settle(path, "absent");
    }
    const why = await notToFetch(files, entry, this.#parts.evidence);
    if (why !== undefined) return this.#refuse(path, why, entry, asked);
    const stream = await streamOf(files, entry);
    if (stream === undefined) return this.#settle(path, "absent");
    const { error, digest } = await this.#parts.placer.place(stream);
    if (error === "EEXIST") return "here";
    if (error === undefined) {
      if (stream.changed())
        this.#parts.log.warn(`tether: ${escapeBytes(path)} changed while it was fetched; it may be torn`);
      this.#note(path, "fetched", asked.listed === true ? "listed" : "", stream.entry, digest, asked);
      return "here";
    }
    if (error === "EXDEV")
      return this.#refuse(path, "on a volume or another mount of the instance", entry, asked);
    this.#parts.log.warn(`tether: ${escapeBytes(path)} cannot be written into the instance: ${error}`);
    return this.#refuse(path, `cannot be written into the instance: ${error}`, entry, asked);
  }

  #refuse(path: ByteString, why: string, entry: Entry | undefined, asked: Asked): FetchResult {
    this.#note(path, "refused", why, entry, "", asked);
    return this.#settle(path, "refused");
  }

  #settle(path: ByteString, result: "absent" | "refused"): FetchResult {
    this.#settled.set(path, result);
    return result;
  }

  #note(
    path: ByteString,
    state: "fetched" | "refused" | "absent" | "unreachable",
    why: string,
    entry: Entry | undefined,
    digest: string,
    { use, by }: Asked,
  ): void {
    const size = entry?.kind === "file" ? entry.size : 0;
    this.#parts.record.add({ path, state, why, kind: entry?.kind ?? "", size, digest, use, by });
  }
}

async function streamOf(files: MachineFiles, entry: Entry): Promise<FileStream | undefined> {
  return entry.kind === "file" ? await files.stream(entry.path) : bare(entry);
}
