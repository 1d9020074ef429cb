// What a capture that runs takes of its data directories: what it started from is what is packed.
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

/** data: "copy", "empty" or "snapshot:DIR"; E_USAGE for another word, and where a snapshot does not stand for one directory. */
export function dataOfRun(
  data: string,
  directories: readonly DataDirectory[],
  { descriptor, choices }: { descriptor: Descriptor; choices: Choices },
): RunData {
  const { snapshots = {} } = dataRequest(data, directories);
  const [from] = Object.values(snapshots);
  const [one] = directories;
  if (from !== undefined && one !== undefined)
    return { descriptor, choices, snapshots: [{ path: one.path, directory: from }] };
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
