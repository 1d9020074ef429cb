// Looking at what an instance writes until it ends.
import { logsOf } from "../../runtime/logs.ts";
import { waitInstance } from "../../runtime/stop.ts";
import type { Context } from "../context.ts";
import { printText } from "../streams.ts";

/** Its exit status. `since`: RFC 3339. */
export async function followToEnd(context: Context, id: string, since: string): Promise<number> {
  await logsOf(context.root, id, { follow: true, since, signal: context.signal }, ({ text, stream }) => {
    printText(text, stream === "stderr" ? 2 : 1);
  });
  return await waitInstance(context.root, id, context.log, context.signal);
}
