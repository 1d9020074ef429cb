// The word of --data: copy, empty, snapshot:DIR, or snapshot:PATH=DIR for each of several data directories, with commas between.
import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import type { DataSnapshot } from "../sandbox/snapshot-files.ts";

export type DataWord =
  | { kind: "copy" | "empty" }
  /** Without a path: of the one data directory that there is. */
  | { kind: "snapshots"; of: readonly { path?: ByteString; directory: string }[] };

/** E_USAGE where it is no word of --data. */
export function parseDataWord(data: string): DataWord {
  if (data === "copy" || data === "empty") return { kind: data };
  const rest = /^snapshot:(.+)$/s.exec(data)?.[1];
  if (rest === undefined) {
    throw new TranshipError("E_USAGE", `--data ${data} is neither copy, empty nor snapshot:DIR`, {
      hint: "DIR is a directory of this host; of several data directories name each: snapshot:PATH=DIR,PATH=DIR",
    });
  }
  const named = rest.split(/,(?=\/[^,=]*=\/)/).map((part) => /^(\/[^=]*?)\/*=(\/.*)$/s.exec(part));
  if (named.some((one) => one === null)) return { kind: "snapshots", of: [{ directory: resolve(rest) }] };
  const of = named.map((one) => ({ path: encodeText(one?.[1] ?? ""), directory: one?.[2] ?? "" }));
  return { kind: "snapshots", of };
}

/** Which data directory each snapshot stands for. E_USAGE, with what can be given, where that cannot be told. */
export function snapshotsOf(
  word: DataWord,
  directories: readonly ByteString[],
  whereNone: string,
): DataSnapshot[] {
  if (word.kind !== "snapshots") return [];
  const found = directories.map(escapeBytes).join(", ") || "none";
  return word.of.map(({ path, directory }) => {
    if (path === undefined && directories.length === 1) return { path: directories[0] ?? "/", directory };
    if (path === undefined)
      throw new TranshipError(
        "E_USAGE",
        `--data snapshot:DIR needs exactly one data directory, found ${directories.length}: ${found}`,
        {
          hint:
            directories.length === 0
              ? whereNone
              : `say which it stands for: --data snapshot:${escapeBytes(directories.at(-1) ?? "")}=DIR, several with commas between; the others are taken as they are`,
        },
      );
    if (directories.includes(path)) return { path, directory };
    throw new TranshipError(
      "E_USAGE",
      `--data: ${escapeBytes(path)} is no data directory of the application`,
      {
        hint: `there are: ${found}`,
      },
    );
  });
}
