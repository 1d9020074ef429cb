// /etc/nsswitch.conf: database -> services in order; "[NOTFOUND=return]" actions are left out.
import type { ByteString } from "./entry.ts";

export function parseNsswitch(text: ByteString): Map<string, string[]> {
  const databases = new Map<string, string[]>();
  for (const raw of text.split("\n")) {
    const match = /^\s*([A-Za-z_]+):(.*)$/.exec(raw.replace(/#.*$/, ""));
    if (match === null) continue;
    const services = (match[2] ?? "")
      .replace(/\[[^\]]*\]/g, " ")
      .split(/\s+/)
      .filter((word) => /^[\w-]+$/.test(word));
    databases.set(match[1] ?? "", services);
  }
  return databases;
}

/** Every service named in the file, sorted. */
export function nsswitchServices(text: ByteString): string[] {
  return [...new Set([...parseNsswitch(text).values()].flat())].sort();
}
