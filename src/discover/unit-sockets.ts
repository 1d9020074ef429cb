// The sockets that systemd opens for a service: its socket units.
import type { ByteString } from "../formats/entry.ts";
import type { SpecifierFacts } from "../formats/unit-names.ts";
import type { ServiceFact } from "./inventory.ts";
import type { RecipeSocket } from "./recipe.ts";
import type { Source } from "./source.ts";
import { UnitReader } from "./systemd-services.ts";
import { UnitTree } from "./unit-tree.ts";

const kinds: Readonly<Record<string, RecipeSocket["type"]>> = {
  ListenStream: "stream",
  ListenDatagram: "datagram",
  ListenSequentialPacket: "seqpacket",
};
const others = ["ListenFIFO", "ListenSpecial", "ListenNetlink", "ListenMessageQueue", "ListenUSBFunction"];

export interface UnitSockets {
  sockets: RecipeSocket[];
  /** What of them an instance does not get. */
  notes: string[];
}

/** Of the socket units that are in force: enabled, or asked for by the service itself. `service` is the service's own unit. */
export async function unitSockets(
  source: Source,
  fact: ServiceFact,
  service: UnitReader,
  facts: SpecifierFacts,
): Promise<UnitSockets> {
  const found: UnitSockets = { sockets: [], notes: [] };
  const tree = await UnitTree.open(source);
  const own = new Set([fact.name, ...fact.aliases].map((name) => `${name}.service`));
  const asked = new Set([
    ...service.list("Service", "Sockets"),
    ...["Requires", "BindsTo", "Wants"].flatMap((key) => service.list("Unit", key)),
  ]);
  const input = service.service("StandardInput") === "socket" ? "input" : "listen";
  for (const name of tree.names("socket", [...asked])) {
    if (tree.realName(name) !== name || tree.masked(name)) continue;
    if (tree.enabledBy(name).length === 0 && !asked.has(name)) continue;
    const unit = await tree.load(name);
    if (unit === undefined) continue;
    const reader = new UnitReader(unit, facts);
    const setting = (key: string): ByteString => reader.expand(unit.settings.last("Socket", key) ?? "");
    const started = setting("Service") || name.replace(/\.socket$/, ".service");
    const listed = service.list("Service", "Sockets").includes(name);
    if (!own.has(started) && !listed) continue;
    addSockets(reader, setting, input, found);
  }
  return found;
}

function addSockets(
  reader: UnitReader,
  setting: (key: string) => ByteString,
  given: RecipeSocket["given"],
  found: UnitSockets,
): void {
  const { unit } = reader;
  if (/^(yes|true|1|on)$/i.test(setting("Accept"))) {
    found.notes.push(
      `${unit.name} starts a process for each connection (Accept=yes): an instance gives none`,
    );
    return;
  }
  const mode = /^[0-7]{3,4}$/.exec(setting("SocketMode"))?.[0] ?? "0666";
  for (const { key, value } of unit.settings.ordered("Socket", [...Object.keys(kinds), ...others])) {
    const type = kinds[key];
    const address = type === undefined ? undefined : listenAddress(reader.expand(value));
    if (type === undefined || address === undefined) {
      found.notes.push(`${unit.name} opens ${key}=${value}, which an instance does not give`);
      continue;
    }
    if (address.note !== undefined) found.notes.push(`${unit.name}: ${address.note}`);
    found.sockets.push({
      ...{ type, given, listen: address.listen },
      name: setting("FileDescriptorName") || unit.name,
      mode: Number.parseInt(mode, 8) & 0o777,
      user: setting("SocketUser") || "root",
      group: setting("SocketGroup"),
      ipv6Only: setting("BindIPv6Only") === "ipv6-only",
    });
  }
}

/** As ListenStream= writes it -> as a package writes it; undefined for what is neither path, name nor IP address. */
export function listenAddress(value: ByteString): { listen: ByteString; note?: string } | undefined {
  if (/^[/@]./.test(value)) return { listen: value };
  if (/^\d{1,5}$/.test(value)) return { listen: `[::]:${value}` };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([\d.]+)):(\d{1,5})$/.exec(value);
  if (match === null) return undefined;
  const [, six, four = "", port = ""] = match;
  return inetAddress(six ?? four, Number(port));
}

/** An instance has addresses of its own: of those of the machine it knows loopback and "all". */
export function inetAddress(address: string, port: number): { listen: string; note?: string } {
  const six = address.includes(":");
  const own = six ? /^(::1?|::ffff:127\..*)$/.test(address) : /^(127\.|0\.0\.0\.0$)/.test(address);
  if (own) return { listen: six ? `[${address}]:${port}` : `${address}:${port}` };
  const listen = six ? `[::]:${port}` : `0.0.0.0:${port}`;
  return {
    listen,
    note: `the socket of ${address} port ${port} is opened for all addresses, because an instance has others`,
  };
}
