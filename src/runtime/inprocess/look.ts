// Looking at the files of an instance of the in-process engine as its programs see them: by native/tree under its own engine.
import { chmodSync, copyFileSync, renameSync } from "node:fs";
import { nativePath } from "../../host/native.ts";
import type { Instance } from "../find.ts";
import { engineWords } from "./start.ts";

/** What executes `tree` in its view; "/" is its root then. The copy of `tree` is where its policy names it, as the host's own paths are not seen there. */
export function lookThrough({ paths, record }: Instance): readonly string[] {
  const fresh = `${paths.look}.new-${process.pid}`;
  copyFileSync(nativePath("tree"), fresh);
  chmodSync(fresh, 0o755);
  renameSync(fresh, paths.look);
  return [...engineWords(paths, record), "/.tranship/look"];
}
