// The words after `ssh`. How to reach a machine (jump hosts, keys, agents, host keys) is the administrator's ssh configuration, which
// stays in force; only what would disturb the records is settled here.
import { TranshipError } from "../../base/errors.ts";
import type { SshAddress } from "./address.ts";

/** Settled by us: a forwarding, a terminal or a command of the configuration would take the place of ours. */
const settled: readonly string[] = [
  "RemoteCommand=none", "RequestTTY=no", "ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no", "PermitLocalCommand=no",
  "EscapeChar=none", "ForkAfterAuthentication=no", "StdinNull=no",
]; // biome-ignore format: a list

/** In force where the user says nothing else. */
const defaults: readonly string[] = [
  "ServerAliveInterval=10", "ServerAliveCountMax=3", "ConnectTimeout=20",
]; // biome-ignore format: a list

const ours =
  /^(control(master|path|persist)|remotecommand|requesttty|sessiontype|clearallforwardings|escapechar|forkafterauthentication|stdinnull|localcommand|permitlocalcommand|batchmode)$/;

/** KEY=VALUE words of --ssh-option and TRANSHIP_SSH_OPTIONS. E_USAGE names one that cannot be given. */
export function checkSshOptions(words: readonly string[]): void {
  for (const word of words) {
    const [, key = "", value = ""] = /^([A-Za-z][A-Za-z0-9]*)[= ](.*)$/.exec(word) ?? [];
    if (key === "" || value.trim() === "" || /[\n\0]/.test(word)) {
      throw new TranshipError("E_USAGE", `--ssh-option ${word} is not of the form KEY=VALUE`, {
        hint: "the keys of ssh_config(5), for example --ssh-option HostKeyAlgorithms=+ssh-rsa",
      });
    }
    if (ours.test(key.toLowerCase())) {
      throw new TranshipError("E_USAGE", `--ssh-option ${word}: ${key} is settled by Tranship`, {
        hint: "how the connection is shared and what runs on it cannot be changed",
      });
    }
    if (weakens(key.toLowerCase(), value.trim().toLowerCase())) {
      throw new TranshipError("E_USAGE", `--ssh-option ${word} would take any host for the right one`, {
        hint: "add the host's key with ssh-keyscan after comparing it, or connect once with ssh by hand",
      });
    }
  }
}

function weakens(key: string, value: string): boolean {
  return key === "stricthostkeychecking" && /^(no|off)$/.test(value);
}

/** Words of TRANSHIP_SSH_OPTIONS: separated by white space. */
export function environmentOptions(env: NodeJS.ProcessEnv = process.env): string[] {
  return (env.TRANSHIP_SSH_OPTIONS ?? "").split(/\s+/).filter((word) => word !== "");
}

/** Everything that stands before the command: control socket, options, address. */
export function sshWords(
  address: SshAddress,
  options: { control: string; master: boolean; batch: boolean; options: readonly string[] },
): string[] {
  const given = [
    ...settled,
    `BatchMode=${options.batch ? "yes" : "no"}`,
    `ControlMaster=${options.master ? "yes" : "no"}`,
    "ControlPersist=no",
    ...options.options,
    ...defaults,
  ];
  return [
    "-T", "-S", options.control,
    ...given.flatMap((word) => ["-o", word]),
    ...(address.user === undefined ? [] : ["-l", address.user]),
    ...(address.port === undefined ? [] : ["-p", String(address.port)]),
    "--", address.host,
  ]; // biome-ignore format: a command line
}
