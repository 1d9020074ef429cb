// Secrets among the files of a capture: found by name and by content, listed, and kept out of layers unless asked for.
import type { ByteString, Entry } from "../../formats/entry.ts";
import type { MachineFiles } from "../../machine/machine.ts";

export interface FoundSecret {
  path: ByteString;
  /** "private key", "password hashes". */
  reason: string;
}

const byPath: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^\/etc\/(g?shadow-?|security\/opasswd)$/, "password hashes"],
  [/^\/etc\/ssh\/ssh_host_.*_key$/, "SSH host key"],
  [/\/\.ssh\/(id_[a-z0-9_]+|identity)$/, "SSH private key"],
  [/^\/etc\/ssl\/private\/[^/]+$/, "private key"],
  [
    /\/(\.netrc|\.pgpass|\.my\.cnf|\.htpasswd|\.git-credentials|\.docker\/config\.json|\.aws\/credentials)$/,
    "stored credentials",
  ],
  [/\.(p12|pfx|jks|keystore)$/, "key store"],
  [/^\/etc\/krb5\.keytab$/, "Kerberos keys"],
];

const privateKeyLine = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/;
/** A private key is small; a bundle that hides one behind certificates is still below this. */
const largestKeyFile = 256 << 10;
/** Where a PEM block inside of a file is sample, test or program text, not a secret of the site. */
const shipped = /^\/(usr\/(share|lib|include)|lib)\//;

/** What the name of a file says of its being a secret; undefined where it says nothing. */
export function secretByName(path: ByteString): string | undefined {
  return byPath.find(([pattern]) => pattern.test(path))?.[1];
}

/** Looks at a regular file that is about to be packed; undefined where it is no secret. */
export async function secretIn(files: MachineFiles, entry: Entry): Promise<FoundSecret | undefined> {
  if (entry.kind !== "file" || entry.size === 0) return undefined;
  const named = secretByName(entry.path);
  if (named !== undefined) return { path: entry.path, reason: named };
  if (entry.size > largestKeyFile || shipped.test(entry.path)) return undefined;
  if (!mayHoldKey(entry)) return undefined;
  const bytes = await files.readRange(entry.path, 0, Math.min(entry.size, largestKeyFile));
  if (bytes === undefined) return undefined;
  const text = new TextDecoder("latin1").decode(bytes);
  return privateKeyLine.test(text) ? { path: entry.path, reason: "private key" } : undefined;
}

/** Reading each small file would cost more than the capture: keys are named like keys, or readable by few, or configuration. */
function mayHoldKey(entry: Entry): boolean {
  return (
    /\.(key|pem|crt|cert|priv|private|conf|cfg|ini)$/.test(entry.path) ||
    (entry.mode & 0o004) === 0 ||
    entry.path.startsWith("/etc/")
  );
}
