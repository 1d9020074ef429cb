// Directories that are taken whole: which are walked, and how far.

import { TranshipError } from "../base/errors.ts";
import { mapLimit } from "../base/map-limit.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import type { MachineFiles } from "../machine/machine.ts";
import { isUnreadable } from "../machine/machine.ts";
import { excludedBecause, isSweepable } from "./policy.ts";
import type { Ask } from "./sink.ts";
import type { Resolved, Tree } from "./tree.ts";
import { dirname } from "./tree.ts";

/** A far machine has no more than six open at once. */
const walksAtOnce = 4;
const hugeEntries = 20_000;
const hugeBytes = 512 << 20;

export interface Answer {
  ask: Ask;
  resolved: Resolved;
  below: Entry[];
  unreadable: ByteString[];
  /** The walk was given up: the directory is one of those that somebody has to decide about. */
  huge: boolean;
}

export class Sweeps {
  readonly #files: MachineFiles;
  readonly #tree: Tree;
  readonly #maxPaths: number;
  /** Walked whole: nothing below needs another walk. */
  readonly #swept = new Set<ByteString>();
  /** Walked unless huge. */
  readonly #tried = new Set<ByteString>();

  constructor(files: MachineFiles, tree: Tree, maxPaths: number) {
    this.#files = files;
    this.#tree = tree;
    this.#maxPaths = maxPaths;
  }

  /** Which directories are walked is decided in order, so that of two rules the first names the reason. */
  async walkAll(answers: readonly Answer[]): Promise<void> {
    const walks = answers.filter((answer) => {
      const { entry } = answer.resolved;
      if (answer.ask.whole === false || entry?.kind !== "directory" || this.has(entry.path)) return false;
      const inside: Entry = { ...entry, path: `${entry.path}/x`, kind: "file" };
      if (excludedBecause(inside, answer.ask.reason) === "made by the kernel") return false;
      if (answer.ask.whole === "unless huge" && !isSweepable(entry.path)) return false;
      if (answer.ask.whole === true) this.#swept.add(entry.path);
      else if (this.#tried.has(entry.path)) return false;
      else this.#tried.add(entry.path);
      return true;
    });
    await mapLimit(walks, walksAtOnce, (answer) => this.#walk(answer));
  }

  /** Whether the path is, or lies below, a directory that was walked whole. */
  has(path: ByteString): boolean {
    for (let at = path; at !== "/"; at = dirname(at)) if (this.#swept.has(at)) return true;
    return false;
  }

  async #walk(answer: Answer): Promise<void> {
    const top = answer.resolved.at;
    const capped = answer.ask.whole === "unless huge";
    let bytes = 0;
    for await (const one of this.#files.walk(top)) {
      if (isUnreadable(one)) answer.unreadable.push(one.path);
      else if (one.path !== top) {
        this.#tree.know(one);
        answer.below.push(one);
        bytes += one.size;
      }
      if (capped && (answer.below.length > hugeEntries || bytes > hugeBytes)) {
        answer.huge = true;
        answer.below = [];
        return;
      }
      if (answer.below.length > this.#maxPaths) throw tooManyPaths(this.#maxPaths);
    }
  }
}

export function tooManyPaths(limit: number): TranshipError {
  return new TranshipError("E_LIMIT", `the closure has more than ${limit} paths`, {
    hint: "name what is not needed with --exclude, or capture with --no-closure",
  });
}
