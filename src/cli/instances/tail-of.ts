import { TranshipError } from "../../base/errors.ts";

/** --tail: a number of lines; undefined: all, which docker also has by a number below zero. */
export function tailOf(word: string | undefined): number | undefined {
  if (word === undefined || word === "all" || /^-\d+$/.test(word)) return undefined;
  if (/^\d+$/.test(word)) return Math.min(Number(word), Number.MAX_SAFE_INTEGER);
  throw new TranshipError("E_USAGE", `--tail: not a number of lines: ${JSON.stringify(word)}`, {
    hint: "write --tail 20 or all",
  });
}
