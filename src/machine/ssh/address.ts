// ssh://[user@]host[:port], as the system's ssh program takes it: the host may be a name of the administrator's own ssh configuration.
import { TranshipError } from "../../base/errors.ts";

export interface SshAddress {
  user: string | undefined;
  /** Name or address, without brackets. */
  host: string;
  port: number | undefined;
}

const form = "write ssh://[user@]host[:port], for example ssh://root@old-web";

/** E_MACHINE_UNKNOWN where it is not of that form. What looks like an option of ssh is none. */
export function parseSshAddress(address: string): SshAddress {
  const rest = /^ssh:\/\/(.*?)\/?$/s.exec(address)?.[1];
  const parts =
    rest === undefined
      ? null
      : /^(?:([^@:/]*)@)?(?:\[([0-9a-fA-F:.%a-z]+)\]|([^@:/[\]]*))(?::([^@/]*))?$/s.exec(rest);
  if (parts === null)
    throw refused(address, rest?.includes("/") ? "names a path: a machine is read whole" : undefined);
  const [, user, bracketed, name = "", port] = parts;
  const host = bracketed ?? name;
  if (host === "") throw refused(address, "names no host");
  if (user === "") throw refused(address, "has an @ and no user");
  for (const word of [user ?? "x", host]) {
    if (!/^[A-Za-z0-9_][A-Za-z0-9._:%+-]*$/.test(word) && !(bracketed !== undefined && word === host))
      throw refused(address, `has ${JSON.stringify(word)}, which is no name of a user or a host`);
  }
  return { user, host, port: portOf(address, port) };
}

function portOf(address: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65535) return port;
  throw refused(address, `has ${JSON.stringify(text)}, which is no port`);
}

function refused(address: string, why = "is not of the form ssh://[user@]host[:port]"): TranshipError {
  return new TranshipError("E_MACHINE_UNKNOWN", `${address} ${why}`, { hint: form });
}
