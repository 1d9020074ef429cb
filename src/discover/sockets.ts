// Listening sockets of a network namespace of a live machine and who holds them.
import { parseInetSockets, parseUnixSockets, tcpListen, udpUnconnected } from "../formats/proc-net.ts";
import type { SocketFact } from "./inventory.ts";
import type { Source } from "./source.ts";

const maxTable = 32 << 20;

export async function readSockets(
  source: Source,
  owners: ReadonlyMap<string, number[]>,
  littleEndian: boolean,
  tables = "/proc/net",
): Promise<SocketFact[]> {
  const sockets: SocketFact[] = [];
  for (const protocol of ["tcp", "tcp6", "udp", "udp6"] as const) {
    const text = (await source.text(`${tables}/${protocol}`, maxTable)) ?? "";
    const wanted = protocol.startsWith("tcp") ? tcpListen : udpUnconnected;
    for (const socket of parseInetSockets(text, !littleEndian)) {
      if (socket.state !== wanted) continue;
      const { address, port, inode } = socket;
      sockets.push({ protocol, address, port, path: "", inode, pids: owners.get(inode) ?? [] });
    }
  }
  for (const socket of parseUnixSockets((await source.text(`${tables}/unix`, maxTable)) ?? "")) {
    if (!socket.listening || socket.path === "") continue;
    const { path, inode } = socket;
    sockets.push({ protocol: "unix", address: "", port: 0, path, inode, pids: owners.get(inode) ?? [] });
  }
  return sockets;
}
