// Configuration files of installed packages, held against what the packages brought: dpkg keeps a digest of each, rpm of every file.

import { createHash } from "node:crypto";
import { mapLimit } from "../base/map-limit.ts";
import type { ByteString } from "../formats/entry.ts";
import type { MachineFiles } from "../machine/machine.ts";
import type { ConfigurationFile, InstalledPackages } from "./installed.ts";

export interface ConfigurationState {
  path: ByteString;
  /** The installed package that brought it. */
  name: string;
  version: string;
  /** same: as it was brought. other: there is something that is no file. unreadable: nobody knows. */
  state: "same" | "edited" | "gone" | "other" | "unreadable";
}

const atOnce = 16;
const piece = 4 << 20;

/** Of all installed packages, in the order of their names; `fits` says which paths are looked at, as no file is read in vain. */
export async function configurationStates(
  files: MachineFiles,
  installed: InstalledPackages,
  fits: (path: ByteString) => boolean = () => true,
): Promise<ConfigurationState[]> {
  const wanted = installed
    .all()
    .flatMap(({ name, version, configuration }) => configuration.map((file) => ({ name, version, file })))
    .filter(({ file }) => fits(file.path));
  return await mapLimit(wanted, atOnce, async ({ name, version, file }) => {
    return { path: file.path, name, version, state: await stateOf(files, file) };
  });
}

async function stateOf(files: MachineFiles, file: ConfigurationFile): Promise<ConfigurationState["state"]> {
  try {
    // A link to a file elsewhere is how administrators move configuration: its content counts.
    const { entry } = await files.resolve(file.path);
    if (entry === undefined) return "gone";
    if (entry.kind !== "file") return "other";
    const hash = createHash(file.algorithm);
    for (let at = 0; at < entry.size; at += piece) {
      const bytes = await files.readRange(entry.path, at, piece);
      if (bytes === undefined) return "gone";
      hash.update(bytes);
    }
    return hash.digest("hex") === file.digest ? "same" : "edited";
  } catch {
    return "unreadable";
  }
}
