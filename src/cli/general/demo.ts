// tranship demo: lifts a guest book off a Debian 11 machine made for the purpose, with the real verbs, in a state root of its own.
import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { TranshipError } from "../../base/errors.ts";
import { formatDuration, formatSize } from "../../base/units.ts";
import type { Context } from "../context.ts";
import { instanceNames, keepHome, makeHome, removeHome, sweepHomes } from "../demo/home.ts";
import { buildOldMachine, oldMachineRoot } from "../demo/old-machine.ts";
import { Teller } from "../demo/stage.ts";
import { tellStory } from "../demo/story.ts";
import { type Call, flag, text } from "../verb.ts";

/** Package, unpacked layers and the data of two instances. */
const spaceNeeded = 2 << 30;

/** Exit status 0 only when everything matched. */
export async function run(call: Call, context: Context): Promise<number> {
  const began = Date.now();
  const keep = flag(call.options, "keep");
  const source = oldMachineRoot(text(call.options, "cache"));
  await buildOldMachine(source, context);
  checkSpace();
  await sweepHomes(context.log);
  const root = makeHome();
  let kept = false;
  try {
    const { log, progress, print, say, tellFailure, signal, noInput, yes } = context;
    const own: Context = { root, log, progress, print, say, tellFailure, signal, noInput, yes };
    const teller = new Teller({ context: own, root: root.path });
    await tellStory({ teller, context: own, root, source }, keep);
    kept = keep;
  } catch (error) {
    if (context.signal.aborted)
      throw new TranshipError("E_INTERRUPTED", "the demo was stopped", { cause: error });
    throw error;
  } finally {
    if (kept) keepHome(root);
    else await removeHome(root.path);
  }
  context.print(
    `\nEverything matched, in ${formatDuration(Date.now() - began)}. ${farewell(keep, root.path)}`,
  );
  return 0;
}

function farewell(keep: boolean, path: string): string {
  if (!keep) return "Nothing was left behind; `tranship demo --keep` leaves it running.";
  return `To remove it:\n  TRANSHIP_ROOT=${path} tranship rm --force --volumes ${instanceNames.join(" ")} && rm -r ${path}`;
}

function checkSpace(): void {
  const { bavail, bsize } = statfsSync(tmpdir());
  if (bavail * bsize >= spaceNeeded) return;
  throw new TranshipError(
    "E_NO_SPACE",
    `${tmpdir()} has ${formatSize(bavail * bsize)} free; the demo needs ${formatSize(spaceNeeded)}`,
    {
      hint: "name another temporary directory with TMPDIR",
    },
  );
}
