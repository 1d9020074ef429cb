// What rules say, collected in order until the engine takes it.
import type { ByteString } from "../formats/entry.ts";
import type { Missing, Reason } from "./reason.ts";
import type { Emit } from "./rule.ts";

/** Reachable, but not packed. `path` is "package:NAME" where an installed package as a whole was left out. */
export interface Candidate extends Missing {
  because: string;
}

export interface Ask {
  path: ByteString;
  reason: Reason;
  whole: boolean | "unless huge";
}

/** Collects what the rules say of one path, to be taken in order. */
export class Sink implements Emit {
  readonly asks: Ask[] = [];
  readonly missings: Missing[] = [];
  readonly candidates: Candidate[] = [];

  add(path: ByteString, reason: Reason): void {
    this.asks.push({ path, reason, whole: false });
  }

  tree(path: ByteString, reason: Reason, limit?: "unless huge"): void {
    this.asks.push({ path, reason, whole: limit ?? true });
  }

  missing(path: ByteString, reason: Reason): void {
    this.missings.push({ path, reason });
  }

  candidate(path: ByteString, reason: Reason, because: string): void {
    this.candidates.push({ path, reason, because });
  }
}
