// The directory beside a plan in which its recovered files lie.
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { ioError, makeDirectory, writeFileAtomic } from "../../host/files.ts";
import { TreeFiles } from "../../machine/tree-files.ts";
import type { RecoveredFile } from "../plan/plan.ts";
import { ContentHash } from "./content-hash.ts";

/** The recovered files of a plan that was made before are still what they were. E_PLAN_INVALID, E_SOURCE_CHANGED. */
export async function checkRecovered(directory: string, recovered: readonly RecoveredFile[]): Promise<void> {
  if (!existsSync(directory))
    throw new TranshipError("E_PLAN_INVALID", `the plan's recovered files are not there: ${directory}`, {
      hint: "keep the directory beside the plan; or make the plan anew",
    });
  const files = new TreeFiles(directory);
  try {
    for (const { path, digest } of recovered) {
      const entry = await files.stat(path);
      // Links and directories of an installation have no digest: a plan holds nothing else of them than that they were there.
      if (entry !== undefined && entry.kind !== "file" && digest === "") continue;
      const stream = entry === undefined ? undefined : await files.stream(path);
      if (stream?.entry.kind !== "file")
        throw new TranshipError(
          "E_PLAN_INVALID",
          `the plan's recovered file ${escapeBytes(path)} is not in ${directory}`,
          {
            hint: "keep the directory beside the plan; or make the plan anew",
          },
        );
      const hash = new ContentHash();
      for await (const { offset, bytes } of stream.data) hash.add(offset, bytes);
      if (digest !== "" && hash.end(stream.entry.size) !== digest)
        throw new TranshipError(
          "E_SOURCE_CHANGED",
          `${escapeBytes(path)} in ${directory} is not what was recovered`,
          {
            hint: "make the plan anew",
          },
        );
    }
  } finally {
    await files.close();
  }
}

/** The directory beside a plan for its recovered files; they lie in `files` below it. */
export function recoveryOf(planFile: string): string {
  return `${planFile}.recovered`;
}

/** Makes the directory anew; an older one is removed where it is ours. E_USAGE where it is not. */
export function makeRecoveryBeside(planFile: string): string {
  const directory = recoveryOf(planFile);
  const marker = join(directory, "tranship-recovered");
  if (existsSync(directory)) {
    if (!existsSync(marker))
      throw new TranshipError("E_USAGE", `${directory} exists and holds no recovered files of a plan`, {
        hint: "choose another --output, or move that directory away",
      });
    removeTree(directory);
  }
  makeDirectory(directory);
  writeFileAtomic(
    marker,
    "Files that a plan recovered from a running process, or that its installer wrote.\n",
    { mode: 0o600 },
  );
  return join(directory, "files");
}

function removeTree(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (cause) {
    throw ioError(`cannot remove ${directory}`, cause);
  }
}
