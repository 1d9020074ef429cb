// --userns as a value. Pure.
import { TranshipError } from "../../base/errors.ts";

export interface IdRange {
  /** Of this host; it is 0 inside. */
  readonly first: number;
  readonly count: number;
}

/** host: none of its own. auto: a range of its own is found; of `count` ids where that is given. */
export type UsernsRequest =
  | { readonly kind: "host" }
  | { readonly kind: "auto"; readonly count?: number }
  | { readonly kind: "range"; readonly range: IdRange };

/** 4,294,967,295 means "no id". */
const idsOfHost = 0xffff_ffff;

/** host, auto, auto:size=COUNT or FIRST:COUNT. E_USAGE. */
export function parseUserns(word: string): UsernsRequest {
  if (word === "host") return { kind: "host" };
  const [, size] = /^auto(?::size=(\d{1,10}))?$/.exec(word) ?? [];
  if (word === "auto") return { kind: "auto" };
  if (size !== undefined) {
    const count = Number(size);
    if (count > 0 && count < idsOfHost) return { kind: "auto", count };
    throw invalid(word, "the size is a number above 0");
  }
  const [, first = "", count = ""] = /^(\d{1,10}):(\d{1,10})$/.exec(word) ?? [];
  if (first === "") throw invalid(word, "give host, auto, auto:size=COUNT or FIRST:COUNT");
  const range = { first: Number(first), count: Number(count) };
  if (range.first === 0) throw invalid(word, "0 is root of this host, whom no instance may be");
  if (range.count === 0 || range.first + range.count > idsOfHost)
    throw invalid(word, `ids go from 1 to ${idsOfHost - 1}`);
  return { kind: "range", range };
}

export function overlaps(a: IdRange, b: IdRange): boolean {
  return a.first < b.first + b.count && b.first < a.first + a.count;
}

function invalid(word: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", `not a user namespace: ${JSON.stringify(word)}`, { hint });
}
