// --partition N of a disk:FILE machine.
import { TranshipError } from "../../base/errors.ts";

export function partitionOf(word: string | undefined): number | undefined {
  if (word === undefined) return undefined;
  if (/^\d{1,4}$/.test(word)) return Number(word);
  throw new TranshipError("E_USAGE", `--partition ${word} is no number`, {
    hint: "as the kernel counts: 1, 2, 5",
  });
}
