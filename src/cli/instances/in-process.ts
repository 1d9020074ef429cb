// run --engine: which engine it is to be, and a run in process.
import { TranshipError } from "../../base/errors.ts";
import { chooseEngine } from "../../runtime/inprocess/choose.ts";
import { checkLandlock } from "../../runtime/inprocess/landlock.ts";
import { runInProcess } from "../../runtime/inprocess/run.ts";
import type { EngineName } from "../../runtime/record.ts";
import type { RunOptions } from "../../runtime/run.ts";
import type { Context } from "../context.ts";
import { selfCommand } from "../self.ts";
import { type Call, flag, type OptionValues, text } from "../verb.ts";
import { createOptions, withNet } from "./create-options.ts";
import { checkInProcess } from "./in-process-flags.ts";

/** `say` is told why, where the choice was left to us. */
export function wantedEngine(options: OptionValues, say: (words: string) => void = () => {}): EngineName {
  const word = text(options, "engine");
  if (word !== "auto") return word === "inprocess" ? "inprocess" : "namespace";
  const { engine, reason } = chooseEngine();
  say(`engine ${engine}: ${reason}`);
  return engine;
}

function usersOption(options: OptionValues): RunOptions["users"] {
  const word = text(options, "users");
  return word === "view" || word === "kernel" ? word : undefined;
}

function checkUsers(options: OptionValues): void {
  const root = process.getuid?.() === 0;
  const users = text(options, "users");
  if (users === "view" && root) {
    throw new TranshipError("E_USAGE", "--users view is for ordinary users: root has those of the package", {
      hint: "leave it out",
    });
  }
  if (text(options, "user") !== undefined && !root && users !== "view") {
    throw new TranshipError("E_USAGE", "--user needs root: only root becomes another user", {
      hint: "leave it out: an ordinary user's programs are that user's own; --users view shows them others",
    });
  }
}

/** In the foreground it does not return. */
export async function runIn(call: Call, { root, log, print }: Context): Promise<undefined> {
  checkInProcess(withNet(call.options));
  checkUsers(call.options);
  if (process.arch !== "x64") {
    throw new TranshipError("E_USAGE", `the in-process engine is for x86-64, this host is ${process.arch}`, {
      hint: "run it with --engine namespace",
    });
  }
  const users = usersOption(call.options);
  const options: RunOptions = {
    ...createOptions(call),
    logRedirections: flag(call.options, "logRedirections"),
    confine: flag(call.options, "confine"),
    ...(users === undefined ? {} : { users }),
  };
  if (options.confine === true) await checkLandlock();
  if (!flag(call.options, "detach")) options.foreground = selfCommand(root, call.options);
  print((await runInProcess(root, options, log)).id);
}
