// tranship run: the exit status is the program's own.
import { TranshipError } from "../../base/errors.ts";
import { type RunOptions, runInstance } from "../../runtime/run.ts";
import type { Context } from "../context.ts";
import { selfCommand } from "../self.ts";
import { type Call, flag, text } from "../verb.ts";
import { createOptions } from "./create-options.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { root, log } = context;
  await pullWhereAsked(call, context);
  if (text(call.options, "engine") !== undefined) {
    // Loaded by those who ask for it alone.
    const { runIn, wantedEngine } = await import("./in-process.ts");
    if (wantedEngine(call.options, context.say) === "inprocess") return await runIn(call, context);
  }
  if (flag(call.options, "logRedirections")) {
    throw new TranshipError("E_USAGE", "--log-redirections is for --engine inprocess: mounts see no calls", {
      hint: "`tranship inspect` shows how each redirection is carried out, --observe what is missed",
    });
  }
  if (flag(call.options, "confine")) {
    throw new TranshipError(
      "E_USAGE",
      "--confine is for --engine inprocess: namespaces hold an instance without it",
      {
        hint: "leave it out; --cap-drop, --read-only, --syscalls and --security-opt narrow an instance under namespaces",
      },
    );
  }
  if (text(call.options, "users") === "view") {
    throw new TranshipError("E_USAGE", "--users view is for --engine inprocess: namespaces have users", {
      hint: "leave it out; --userns gives an instance users of its own",
    });
  }
  const options: RunOptions = createOptions(call);
  if (!flag(call.options, "detach")) options.foreground = selfCommand(root, call.options);
  const source = text(call.options, "tether");
  if (flag(call.options, "observe") || source !== undefined) {
    // Loaded by those who ask for it alone.
    const { chooseTracer } = await import("../../capture/sandbox/tracer.ts");
    options.observe = chooseTracer(source === undefined ? "auto" : "seccomp", log);
  }
  if (source !== undefined) {
    const { tetherChoice } = await import("./tether-choice.ts");
    options.tether = tetherChoice(source, call.options);
  }
  const record = await runInstance(root, options, log);
  context.print(record.id);
}

/** Also for `create`. */
export async function pullWhereAsked(call: Call, context: Context): Promise<void> {
  const when = text(call.options, "pull") ?? "never";
  // Loaded by those who ask for it alone.
  if (when !== "never") await (await import("./pull-first.ts")).pullFirst(call, context, when);
}
