import { TranshipError } from "../../base/errors.ts";

/** --tail: a number of lines; undefined: all. */
export function tailOf(word: string | undefined): number | undefined {
  if (word === undefined || word === "all") return undefined;
  if (/^\d{1,9}$/.test(word)) return Number(word);
  throw new TranshipError("E_USAGE", `--tail: not a number of lines: ${JSON.stringify(word)}`, {
    hint: "write --tail 20 or all",
  });
}
