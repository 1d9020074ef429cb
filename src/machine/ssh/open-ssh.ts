// A machine over ssh. What runs there stands in scripts.ts; `--dry-run` prints it (dry-run.ts).
import type { Log } from "../../base/log.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { FetchCache } from "../fetch-cache.ts";
import type { Machine } from "../machine.ts";
import { ResumingFiles } from "../resuming-files.ts";
import { parseSshAddress } from "./address.ts";
import { checkSshOptions, environmentOptions } from "./options.ts";
import { SshSessions } from "./session.ts";

export interface SshChoices {
  /** KEY=VALUE words for ssh's -o. */
  options: readonly string[];
  /** Push the collector; else the far side's own programs are used. Default true. */
  push: boolean;
  /** Read as root by `sudo -n`. */
  sudo: boolean;
  /** A person can answer ssh's questions on the terminal. */
  interactive: boolean;
}

export async function openSsh(
  address: string,
  choices: SshChoices,
  root: StateRoot,
  log: Log,
): Promise<Machine> {
  const parsed = parseSshAddress(address);
  const options = [...choices.options, ...environmentOptions()];
  checkSshOptions(options);
  const sessions = new SshSessions({
    name: address, address: parsed, options, batch: !choices.interactive, push: choices.push, sudo: choices.sudo, root, log,
  }); // biome-ignore format: short
  try {
    const { probe, without } = await sessions.session();
    const notes: string[] = [];
    if (probe.uid !== 0 && !choices.sudo)
      notes.push(
        "read as a user without root's rights: what only root may read is missing; --sudo reads it where sudo asks for no password",
      );
    if (without !== undefined) notes.push(without);
    return {
      address,
      kind: "ssh",
      root: undefined,
      files: new ResumingFiles(sessions),
      content: new FetchCache(root, address, sessions, log),
      live: true,
      notes,
      inPlace: async () => (await sessions.session()).place,
      close: () => sessions.close(),
    };
  } catch (error) {
    await sessions.close();
    throw error;
  }
}
