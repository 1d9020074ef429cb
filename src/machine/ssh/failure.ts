// What ssh said when it failed, as an error that tells what to do.
import { TranshipError } from "../../base/errors.ts";
import type { SshAddress } from "./address.ts";

/** Which machine, and the options that the user gave for it. */
export interface SshTarget {
  name: string;
  address: SshAddress;
  options: readonly string[];
}

/** The words a person would type to reach the machine. */
function plainCommand({ address: { user, host, port }, options }: SshTarget): string {
  return [
    "ssh",
    ...options.map(
      (word) => `-o ${/^[\w=@.,:+/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`}`,
    ),
    ...(port === undefined ? [] : ["-p", String(port)]),
    user === undefined ? host : `${user}@${host}`,
  ].join(" ");
}

const offers: readonly (readonly [what: RegExp, key: string])[] = [
  [/host key type/, "HostKeyAlgorithms"],
  [/key exchange method/, "KexAlgorithms"],
  [/cipher/, "Ciphers"],
  [/MAC/, "MACs"],
];

const reasons =
  /no matching|IDENTIFICATION HAS CHANGED|verification failed|host key is known|Permission denied|authentication failures|resolve hostname|refused|timed out|No route|unreachable|Bad |unsupported option|closed by/i;

/** `words` is what ssh wrote to stderr. Always E_MACHINE_UNREACHABLE. */
export function sshFailure(target: SshTarget, status: number, words: string): TranshipError {
  const lines = words
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  // A machine may greet with a page of text before it refuses.
  const telling = lines.filter((line) => reasons.test(line));
  const said =
    (telling.length > 0 ? telling : lines).slice(-3).join("; ").slice(0, 600) ||
    `ssh ended with status ${status}`;
  return new TranshipError("E_MACHINE_UNREACHABLE", `cannot reach ${target.name}: ${said}`, {
    hint: hintFor(target, words),
    details: { status },
  });
}

function hintFor(target: SshTarget, words: string): string {
  const command = plainCommand(target);
  const offer = /no matching (.{1,40}?) found\. Their offer: (\S+)/.exec(words);
  if (offer !== null) return offerHint(offer[1] ?? "", offer[2] ?? "");
  if (/IDENTIFICATION HAS CHANGED/.test(words)) {
    return `the host has another key than the known one: find out why before anything else; then \`ssh-keygen -R ${target.address.host}\` and \`${command}\``;
  }
  if (/Host key verification failed|host key is known|authenticity of host/.test(words))
    return `the host is not known here: run \`${command}\` once, compare the fingerprint, and answer yes`;
  if (/Permission denied|Too many authentication failures/.test(words))
    return `the machine does not let this user in: try \`${command}\`; give the key to ssh-agent, or name another user in the address`;
  if (/Could not resolve/.test(words))
    return "check the host's name; names of your ssh configuration work too";
  if (/Bad configuration option|unsupported option|Bad .* specification|Bad SSH2/i.test(words))
    return "check --ssh-option and TRANSHIP_SSH_OPTIONS: keys and values are those of ssh_config(5)";
  return `\`${command}\` has to work first; its own words are above`;
}

/** Algorithms that are off by default are taken by opt-in only. */
function offerHint(what: string, offered: string): string {
  const key = offers.find(([pattern]) => pattern.test(what))?.[1] ?? "KexAlgorithms";
  const first = offered.split(",").filter((name) => /^[\w@.+-]+$/.test(name))[0] ?? "";
  const more =
    key === "HostKeyAlgorithms" && first === "ssh-rsa"
      ? " --ssh-option PubkeyAcceptedAlgorithms=+ssh-rsa"
      : "";
  return `the machine knows only what is switched off here: allow it for this machine with --ssh-option ${key}=+${first}${more}`;
}

/** A connection that was there and broke: the read can go on after reconnecting. */
export function connectionLost(name: string, connection: string, words: string): TranshipError {
  const said = words.trim().split("\n").slice(-2).join("; ").slice(0, 400);
  return new TranshipError(
    "E_MACHINE_UNREACHABLE",
    `the connection to ${name} broke${said === "" ? "" : `: ${said}`}`,
    {
      hint: "run the command again when the machine can be reached: what was read already is kept and not read again",
      details: { lost: true, connection },
    },
  );
}

export function isConnectionLost(error: unknown): error is TranshipError {
  return (
    error instanceof TranshipError && error.code === "E_MACHINE_UNREACHABLE" && error.details.lost === true
  );
}
