// What the tables of the kernel tell of a sandbox: which sockets listen there, and which of them somebody has used. The exercise is not
// traced; this is how its connections are seen.
import { lstatSync, readFileSync } from "node:fs";
import type { ByteString } from "../../formats/entry.ts";
import {
  type InetSocket,
  parseInetSockets,
  parseUnixSockets,
  tcpListen,
  type UnixSocket,
} from "../../formats/proc-net.ts";

/** Ports in state LISTEN (0A), seen through the network namespace of a process. */
export function listeningPorts(pid: number): Set<number> {
  return listeningPortsOf(socketTable(pid));
}

export function listeningPortsOf(sockets: readonly InetSocket[]): Set<number> {
  return new Set(sockets.filter((socket) => socket.state === tcpListen).map((socket) => socket.port));
}

/**
 * Local ports of a namespace with a connection. The side that closes first keeps it for a minute (TIME_WAIT), so one look a minute
 * misses only what was reset.
 */
export function connectedPorts(pid: number): Set<number> {
  return connectedPortsOf(socketTable(pid));
}

export function connectedPortsOf(sockets: readonly InetSocket[]): Set<number> {
  const listening = new Set(sockets.filter((one) => one.state === tcpListen).map((one) => one.port));
  const others = sockets.filter((one) => one.state !== tcpListen);
  return new Set(others.flatMap((one) => [one.port, one.remotePort]).filter((port) => listening.has(port)));
}

function socketTable(pid: number): InetSocket[] {
  return ["tcp", "tcp6"].flatMap((table) => parseInetSockets(tableOf(pid, table)));
}

function tableOf(pid: number, table: string): ByteString {
  try {
    return readFileSync(`/proc/${pid}/net/${table}`, "latin1");
  } catch {
    return ""; // the process has ended
  }
}

/**
 * Listening sockets with a name that somebody has connected to: a path, or a NUL and an abstract name. A connection by path reads the
 * socket's inode, so its time of access is later than the one of its making; on file systems without such times, and for abstract
 * names, only what is connected now is seen.
 */
export function connectedSockets(pid: number): Set<ByteString> {
  return connectedSocketsOf(parseUnixSockets(tableOf(pid, "unix")), (path) => wasRead(pid, path));
}

export function connectedSocketsOf(
  sockets: readonly UnixSocket[],
  wasUsed: (path: ByteString) => boolean,
): Set<ByteString> {
  const now = new Set(sockets.filter((one) => one.connected).map((one) => one.path));
  const listening = sockets.filter((one) => one.listening && one.path !== "").map((one) => one.path);
  const used = listening.filter((path) => now.has(path) || (path.startsWith("/") && wasUsed(path)));
  return new Set(used.map((path) => (path.startsWith("@") ? `\0${path.slice(1)}` : path)));
}

function wasRead(pid: number, path: ByteString): boolean {
  try {
    const stats = lstatSync(Buffer.from(`/proc/${pid}/root${path}`, "latin1"), { bigint: true });
    return stats.isSocket() && stats.atimeNs > stats.mtimeNs;
  } catch {
    return false;
  }
}
