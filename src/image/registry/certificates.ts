// Certificates for a registry as docker keeps them: certs.d/HOST[:PORT]/ with *.crt (authorities), NAME.cert and NAME.key (of the client).
import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { errnoOf, ioError, readInput } from "../../host/files.ts";

export interface TlsFiles {
  /** Authorities beside those of the system. */
  ca: string[];
  cert: string | undefined;
  key: string | undefined;
}

const maxFile = 1 << 20;

/** What the first of the directories that exists says. E_IO for a certificate without its key. */
export function tlsFiles(host: string, chosen: string | undefined): TlsFiles {
  const places =
    chosen === undefined
      ? [
          join(homedir(), ".config/docker/certs.d", host),
          join("/etc/docker/certs.d", host),
          join("/etc/containers/certs.d", host),
        ]
      : [chosen];
  for (const directory of places) {
    const names = namesIn(directory, chosen !== undefined);
    if (names !== undefined) return read(directory, names);
  }
  return { ca: [], cert: undefined, key: undefined };
}

function namesIn(directory: string, required: boolean): string[] | undefined {
  try {
    return readdirSync(directory).sort();
  } catch (cause) {
    const code = errnoOf(cause);
    if (!required && (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES")) return undefined;
    throw ioError(`cannot read the certificates in ${directory}`, cause);
  }
}

function read(directory: string, names: readonly string[]): TlsFiles {
  const text = (name: string): string => {
    const bytes = readInput(join(directory, name), "the certificate", maxFile);
    if (bytes === undefined)
      throw new TranshipError("E_LIMIT", `${join(directory, name)} is larger than any certificate`);
    return bytes.toString("utf8");
  };
  const ca = names.filter((name) => name.endsWith(".crt")).map(text);
  const client = names.find((name) => name.endsWith(".cert"));
  if (client === undefined) return { ca, cert: undefined, key: undefined };
  const key = client.replace(/\.cert$/, ".key");
  if (!names.includes(key)) {
    throw new TranshipError("E_IO", `${join(directory, client)} has no key ${key} beside it`, {
      hint: "a certificate of the client needs its key, under the same name",
    });
  }
  return { ca, cert: text(client), key: text(key) };
}
