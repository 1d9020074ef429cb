// What would run for an ssh machine, here and there, word for word: the source is shown before it is touched.
import { nativePath } from "../../host/native.ts";
import { parseSshAddress } from "./address.ts";
import type { SshChoices } from "./open-ssh.ts";
import { checkSshOptions, environmentOptions, sshWords } from "./options.ts";
import {
  dropCommand,
  keeperCommand,
  pushCommand,
  pushDirectories,
  serveCommand,
  shellCommand,
} from "./scripts.ts";
import { listScript, readScript, type ShellWays, statScript, walkScript } from "./shell-scripts.ts";

export interface RemoteStep {
  what: string;
  command: string;
}

/** Where nothing is pushed, or what was pushed does not run there. */
function withoutCollector({ push, sudo }: SshChoices): RemoteStep[] {
  const ways: ShellWays = { describe: "stat", find: true, readlink: true, dd: true, head: true };
  const scripts = [
    statScript(ways, "MARK", ["PATH"], false),
    listScript(ways, "MARK", "PATH"),
    walkScript(ways, "MARK", "PATH", [], false),
    readScript(ways, "PATH", { offset: 0, length: 4096 }, true),
    readScript(ways, "PATH", { offset: 65_536, length: 65_536 }, true),
  ];
  return [
    {
      what: push ? "instead of it, where the collector cannot be taken" : "takes the scripts below",
      command: shellCommand(sudo),
    },
    ...scripts.map((script) => ({ what: "a script for it, for each path that is read", command: script })),
  ];
}

/** Stands for the random part of the name: 32 hexadecimal digits. */
export const dryRunName = "tranship-RANDOM";

/** The ssh command line of this host, and in order every command that it may run there. Connects to nothing. */
export function remoteSteps(address: string, choices: SshChoices): { ssh: string[]; steps: RemoteStep[] } {
  const options = [...choices.options, ...environmentOptions()];
  checkSshOptions(options);
  const words = { control: "PRIVATE-DIRECTORY/SOCKET", master: true, batch: !choices.interactive, options };
  const steps: RemoteStep[] = [
    {
      what: "holds the connection, asks what the machine is, and removes the collector when the connection ends",
      command: keeperCommand(dryRunName, choices.push),
    },
  ];
  if (choices.push) {
    const program = nativePath("tree");
    for (const directory of pushDirectories) {
      steps.push({
        what: `writes the collector (${program}, on its stdin) to ${directory}${directory === pushDirectories[0] ? "" : ", where the ones before did not work"}`,
        command: pushCommand(dryRunName, directory),
      });
      steps.push({
        what: "removes it at once where it does not run there",
        command: dropCommand(dryRunName, directory),
      });
    }
    for (const directory of pushDirectories)
      steps.push({
        what: `runs the collector from ${directory}, if it is there: it reads what it is asked for and writes nothing; once for each file that is read meanwhile`,
        command: serveCommand(dryRunName, directory, choices.sudo),
      });
  }
  steps.push(...withoutCollector(choices));
  return { ssh: ["ssh", ...sshWords(parseSshAddress(address), words)], steps };
}
