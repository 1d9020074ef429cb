// What a capture that runs takes of its data directories: what it started from is what is packed.
import { unescapeBytes } from "../../formats/escape.ts";
import type { Descriptor, Volume } from "../../package/descriptor.ts";
import { pathText } from "../application/descriptor-text.ts";
import type { Choices } from "../captured.ts";
import type { DataSnapshot } from "../sandbox/snapshot-files.ts";
import { type DataDirectory, dataReason, dataRequest } from "./data-directories.ts";
import { emptied } from "./process-data.ts";

export interface RunData {
  descriptor: Descriptor;
  choices: Choices;
  snapshots: DataSnapshot[];
}

/** data: the word of --data; E_USAGE for another word, and where it cannot be told which directory a snapshot stands for. */
export function dataOfRun(
  data: string,
  directories: readonly DataDirectory[],
  { descriptor, choices }: { descriptor: Descriptor; choices: Choices },
): RunData {
  const given = Object.entries(dataRequest(data, directories).snapshots ?? {});
  if (given.length > 0) {
    const snapshots = given.map(([path, directory]) => ({ path: unescapeBytes(path), directory }));
    return { descriptor, choices, snapshots };
  }
  if (data !== "empty") return { descriptor, choices, snapshots: [] };
  const volumes = directories.map((one): Volume => {
    // A volume without a size promises no content.
    return { path: pathText(one.path), initial: "copy", reason: dataReason(one), size: "0" };
  });
  return {
    descriptor: { ...descriptor, volumes: [...descriptor.volumes, ...volumes] },
    choices: { ...choices, filters: [...choices.filters, ...directories.map(({ path }) => emptied(path))] },
    snapshots: [],
  };
}
