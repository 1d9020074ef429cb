// tranship internal complete: asked by the shells (completion/scripts.ts) at each press of the key.
import { exitStatus } from "../../base/errors.ts";
import { complete } from "../completion/complete.ts";
import type { Context } from "../context.ts";
import { verbs } from "../table/verbs.ts";
import type { Call } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const completion = complete(verbs, call.args);
  const { kinds, before, candidates } = completion;
  const files = kinds.includes("file") ? "files" : kinds.includes("directory") ? "directories" : "none";
  // Loaded where names are asked for: words and flags come at once.
  const live = kinds.length === 0 ? [] : (await import("../completion/live-names.ts")).liveNames(completion);
  const lines = [...candidates, ...live].map(
    ({ word, summary }) => `${before}${word}\t${summary.replace(/\s+/g, " ")}`,
  );
  context.print([files, ...lines].map((line) => `${line}\n`).join(""));
  return exitStatus.done;
}
