// A machine for as long as a verb needs it.
import { orInterrupted } from "../../capture/interrupt.ts";
import { isTerminal } from "../../host/terminal.ts";
import type { Machine } from "../../machine/machine.ts";
import { openMachine } from "../../machine/open.ts";
import type { SshChoices } from "../../machine/ssh/open-ssh.ts";
import type { Context } from "../context.ts";
import { flag, list, type OptionValues, text } from "../verb.ts";
import { partitionOf } from "./partition.ts";

export interface MachineCall {
  address: string;
  options: OptionValues;
  context: Context;
  /** The work leaves nothing to undo: Ctrl-C ends it at once. */
  endsAtOnce?: boolean;
}

/** Opens the machine, and closes it whatever happens. */
export async function withMachine<T>(call: MachineCall, use: (machine: Machine) => Promise<T>): Promise<T> {
  const { context, options } = call;
  const machine = await openMachine(call.address, () => ({
    root: context.root,
    log: context.log,
    ssh: sshChoices(options, context),
    disk: { partition: partitionOf(text(options, "partition")) },
  }));
  try {
    return call.endsAtOnce === true
      ? await orInterrupted(context.signal, () => use(machine))
      : await use(machine);
  } finally {
    await machine.close();
  }
}

export function sshChoices(options: OptionValues, context: Context): SshChoices {
  return {
    options: list(options, "sshOption"),
    push: options.push !== false,
    sudo: flag(options, "sudo"),
    interactive: !context.noInput && isTerminal(2),
  };
}
