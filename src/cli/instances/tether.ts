// The process beside a tethered instance: see runtime/tether.ts. One line on stdout tells that it works.
import { serveTether } from "../../deploy/tether/serve.ts";
import { openMachine } from "../../machine/open.ts";
import { findInstance } from "../../runtime/find.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

export async function run({ args: [id = ""] }: Call, context: Context): Promise<undefined> {
  const { root, log } = context;
  const instance = findInstance(root, id);
  const { tether } = instance.record;
  if (tether === undefined) return;
  const open = () =>
    openMachine(tether.machine, () => ({
      root,
      log,
      // Nobody sits before it: a key or an agent has to be enough.
      ssh: { options: tether.sshOptions, push: tether.push, sudo: tether.sudo, interactive: false },
      disk: { partition: tether.partition },
    }));
  await serveTether({
    root,
    instance,
    open,
    log,
    ready: (unreachable) => {
      const line =
        unreachable === undefined ? "ready" : `unreachable ${unreachable.message.replaceAll("\n", " ")}`;
      context.print(line);
    },
  });
}
