import { isTranshipError, TranshipError } from "../../base/errors.ts";
import { findAny, inspectInstance } from "../../runtime/find.ts";
import { isPaused } from "../../runtime/pause.ts";
import { startInstance } from "../../runtime/run.ts";
import type { Context } from "../context.ts";
import { type Call, flag, text } from "../verb.ts";
import { forEach } from "./each.ts";

export async function run(call: Call, context: Context): Promise<number | undefined> {
  const own = flag(call.options, "newIdentity");
  if (flag(call.options, "attach") || flag(call.options, "interactive"))
    return await startAttached(call, context, own);
  await forEach(call, context, async (name) => {
    try {
      await startInstance(context.root, name, context.log, own);
    } catch (error) {
      // As with docker: what was asked for is so.
      if (own || !isTranshipError(error, "E_INSTANCE_STATE") || !runs(context, name)) throw error;
    }
  });
  return undefined;
}

function runs(context: Context, name: string): boolean {
  const instance = inspectInstance(context.root, name);
  const { state } = instance.status;
  return state === "starting" || (state === "running" && !isPaused(instance));
}

/** The exit status is the instance's own. */
async function startAttached({ args, options }: Call, context: Context, own: boolean): Promise<number> {
  const [name = ""] = args;
  if (args.length > 1) {
    throw new TranshipError("E_USAGE", "only one instance can be attached to", {
      hint: "start the others without -a and -i",
    });
  }
  const { record } = findAny(context.root, name);
  // Loaded by those who ask for it alone.
  const [{ attach }, { defaultDetachKeys, parseDetachKeys }, { followToEnd }] = await Promise.all([
    import("./attach.ts"),
    import("./detach-keys.ts"),
    import("./follow.ts"),
  ]);
  const keys = parseDetachKeys(text(options, "detachKeys") ?? defaultDetachKeys);
  const began = new Date().toISOString();
  await startInstance(context.root, record.id, context.log, own);
  // What is typed goes by the console; what is only looked at is in the log from its first line on.
  if (flag(options, "interactive"))
    return await attach(context, record.id, { keys, stdin: true, proxySignals: true });
  return await followToEnd(context, record.id, began);
}
