// What `cluster join` and `cluster leave` would run on a far node, word for word.

import { parseSshAddress } from "../../machine/ssh/address.ts";
import { dryRunName } from "../../machine/ssh/dry-run.ts";
import { checkSshOptions, environmentOptions, sshWords } from "../../machine/ssh/options.ts";
import { keeperCommand } from "../../machine/ssh/scripts.ts";
import type { FarChoices } from "./far-node.ts";
import {
  endTasksCommand, type Far, lookCommand, pushCommand, putCommand, removeCommand, startCommand, stopCommand, waitCommand,
} from "./scripts.ts"; // biome-ignore format: a list

export interface FarStep {
  what: string;
  command: string;
}

/** Connects to nothing. */
export function farSteps(
  address: string,
  choices: FarChoices,
  verb: "join" | "leave",
): { ssh: string[]; steps: FarStep[] } {
  const options = [...choices.options, ...environmentOptions()];
  checkSshOptions(options);
  const words = { control: "PRIVATE-DIRECTORY/SOCKET", master: true, batch: !choices.interactive, options };
  const far: Far = { mark: dryRunName, sudo: choices.sudo };
  const steps = [
    { what: "holds the connection and asks what the machine is", command: keeperCommand(dryRunName, false) },
    { what: "sees what is there", command: lookCommand(far) },
    ...(verb === "join" ? joinSteps(far) : leaveSteps(far)),
  ];
  return { ssh: ["ssh", ...sshWords(parseSshAddress(address), words)], steps };
}

function joinSteps(far: Far): FarStep[] {
  return [
    {
      what: "takes the installation on its input, where neither it nor the same version of Tranship is there",
      command: pushCommand(far, "DIGEST"),
    },
    { what: "takes the token on its input, where it is another", command: putCommand(far, "token", "SIZE") },
    {
      what: "the authority of NODE_EXTRA_CA_CERTS, for a control plane with https",
      command: putCommand(far, "ca.pem", "SIZE"),
    },
    {
      what: "the script that ends the node's tasks, for `cluster leave`",
      command: putCommand(far, "end", "SIZE"),
    },
    { what: "the script that becomes the agent", command: putCommand(far, "run", "SIZE") },
    { what: "with systemd: the unit", command: putCommand(far, "unit", "SIZE") },
    {
      what: "with systemd: starts the agent, where something has changed or it does not run",
      command: startCommand(far, true),
    },
    {
      what: "without: the script that starts the agent again when it ends",
      command: putCommand(far, "keep", "SIZE"),
    },
    { what: "without: starts it", command: startCommand(far, false) },
    { what: "waits until the control plane has taken it in", command: waitCommand(far) },
  ];
}

function leaveSteps(far: Far): FarStep[] {
  return [
    { what: "ends the agent", command: stopCommand(far) },
    { what: "ends the tasks that the node runs", command: endTasksCommand(far) },
    { what: "removes all that was put there", command: removeCommand(far) },
  ];
}
