// /proc/net/{tcp,tcp6,udp,udp6,unix}: sockets of a network namespace.
import type { ByteString } from "./entry.ts";

const maxSockets = 100_000;

export interface InetSocket {
  /** Text form: 127.0.0.1, ::1. */
  address: string;
  port: number;
  remoteAddress: string;
  remotePort: number;
  /** The kernel's state number; 10 is LISTEN, 7 is an unconnected udp socket. */
  state: number;
  uid: number;
  inode: string;
}

export const tcpListen = 10;
export const udpUnconnected = 7;

/** The addresses are in the byte order of the machine; `bigEndian` where that is not x86's or arm's. */
export function parseInetSockets(text: ByteString, bigEndian = false): InetSocket[] {
  const sockets: InetSocket[] = [];
  const pattern =
    /^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) \S+ \S+ \S+ +(\d+) +\d+ (\d+)/gm;
  for (const match of text.matchAll(pattern)) {
    const [, local = "", port = "", remote = "", remotePort = "", state = "", uid = "", inode = ""] = match;
    sockets.push({
      address: formatAddress(local, bigEndian),
      port: Number.parseInt(port, 16),
      remoteAddress: formatAddress(remote, bigEndian),
      remotePort: Number.parseInt(remotePort, 16),
      state: Number.parseInt(state, 16),
      uid: Number(uid),
      inode,
    });
    if (sockets.length >= maxSockets) break;
  }
  return sockets;
}

function formatAddress(hex: string, bigEndian: boolean): string {
  const bytes: number[] = [];
  for (let at = 0; at < hex.length; at += 8) {
    const word = (hex.slice(at, at + 8).match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
    bytes.push(...(bigEndian ? word : word.reverse()));
  }
  return bytes.length === 4 ? bytes.join(".") : formatIpv6(bytes);
}

/** RFC 5952: lower case, the longest run of zero groups is "::", mapped IPv4 in dotted form. */
function formatIpv6(bytes: readonly number[]): string {
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes.slice(12).join(".")}`;
  }
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = (part: number[]): string => part.map((group) => group.toString(16)).join(":");
  if (best.start < 0) return text(groups);
  return `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`;
}

export interface UnixSocket {
  inode: string;
  type: "stream" | "dgram" | "seqpacket";
  listening: boolean;
  connected: boolean;
  /** "@name" for an abstract one, "" for an unnamed one. */
  path: ByteString;
}

export function parseUnixSockets(text: ByteString): UnixSocket[] {
  const sockets: UnixSocket[] = [];
  const types: Record<string, UnixSocket["type"]> = {
    "0001": "stream",
    "0002": "dgram",
    "0005": "seqpacket",
  };
  for (const match of text.matchAll(
    /^[0-9a-fA-F]+: \S+ \S+ ([0-9A-F]{8}) (\d{4}) (\d\d) +(\d+)(?: (.*))?$/gm,
  )) {
    sockets.push({
      inode: match[4] ?? "",
      type: types[match[2] ?? ""] ?? "stream",
      listening: (Number.parseInt(match[1] ?? "0", 16) & 0x10000) !== 0,
      connected: match[3] === "03",
      path: match[5] ?? "",
    });
    if (sockets.length >= maxSockets) break;
  }
  return sockets;
}
