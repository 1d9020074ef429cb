import { TranshipError } from "../../base/errors.ts";
import { findAny } from "../../runtime/find.ts";
import { startInstance } from "../../runtime/run.ts";
import type { Context } from "../context.ts";
import { type Call, flag, text } from "../verb.ts";
import { forEach } from "./each.ts";

export async function run(call: Call, context: Context): Promise<number | undefined> {
  const own = flag(call.options, "newIdentity");
  if (flag(call.options, "attach") || flag(call.options, "interactive"))
    return await startAttached(call, context, own);
  await forEach(call, context, async (name) => {
    await startInstance(context.root, name, context.log, own);
  });
  return undefined;
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
