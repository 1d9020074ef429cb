// What the monitor of a detached instance becomes when its chain has ended.
import { instanceEnded } from "../../runtime/run.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

export async function run({ args }: Call, context: Context): Promise<undefined> {
  const [id = "", status, launch] = args;
  await instanceEnded(
    context.root,
    id,
    { status: status === undefined ? null : Number(status), launch },
    context.log,
  );
}
