// What somebody did after installation, such as an administrator: it is told in the plan, as it cannot be had from an installer again.
import { configurationStates } from "../../closure/edited.ts";
import type { InstalledPackages } from "../../closure/installed.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Exclusion } from "../plan/plan.ts";

/** Of the planned files alone; in byte order of the paths. */
export async function editedFiles(
  machine: Machine,
  installed: InstalledPackages,
  entries: ReadonlyMap<ByteString, Entry>,
): Promise<Exclusion[]> {
  const states = await configurationStates(machine.files, installed, (path) => entries.has(path));
  return states
    .filter(({ state }) => state === "edited" || state === "other")
    .map(({ path, name, version }) => ({
      path,
      why: `edited since ${escapeBytes(name)} ${escapeBytes(version)} was installed`,
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}
