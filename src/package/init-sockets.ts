// Sockets that services are given -> their part of an InitPlan.
import { TranshipError } from "../base/errors.ts";
import type { Service, ServiceSocket } from "./descriptor.ts";
import type { PlannedSocket } from "./init-plan.ts";

/** sizeof(sun_path), less a NUL. */
const longestPath = 107;

/** `services` in starting order. E_DESCRIPTOR_INVALID names the offending socket. */
export function compileSockets(services: readonly Service[]): PlannedSocket[] {
  return services.flatMap((service, index) => {
    const sockets = service.sockets ?? [];
    if (sockets.length > 1 && sockets.some((one) => one.given === "input"))
      throw invalid(service, "a socket that is given as standard input has to be the only one");
    return sockets.map((socket) => compileSocket(service, index, socket));
  });
}

function compileSocket(of: Service, service: number, socket: ServiceSocket): PlannedSocket {
  const type = socket.type ?? "stream";
  const { address, port } = parseListen(of, socket.listen);
  if (type === "seqpacket" && port > 0)
    throw invalid(of, `${socket.listen} cannot be of type seqpacket, which is for paths`);
  const mode = socket.mode ?? "0666";
  if (!/^0?[0-7]{3}$/.test(mode)) throw invalid(of, `not an octal mode: ${JSON.stringify(mode)}`);
  return {
    ...{ service, type, address, port },
    given: socket.given ?? "listen",
    name: socket.name ?? of.name,
    mode: Number.parseInt(mode, 8),
    uid: socket.uid ?? 0,
    gid: socket.gid ?? 0,
    ipv6Only: socket.ipv6Only ?? false,
  };
}

function parseListen(of: Service, listen: string): { address: string; port: number } {
  if (/^[/@]./.test(listen)) {
    if (new TextEncoder().encode(listen).length > longestPath)
      throw invalid(of, `the path of a socket has at most ${longestPath} bytes: ${JSON.stringify(listen)}`);
    return { address: listen, port: 0 };
  }
  const match = /^(?:\[([0-9a-f:.]+)\]|(\d{1,3}(?:\.\d{1,3}){3})):(\d{1,5})$/i.exec(listen);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535)
    throw invalid(
      of,
      `no address of a socket: ${JSON.stringify(listen)}`,
      'as "0.0.0.0:80", "[::]:80", "/run/app.sock" or "@name"',
    );
  return { address: match[1] ?? match[2] ?? "", port };
}

function invalid(of: Service, message: string, hint?: string): TranshipError {
  return new TranshipError(
    "E_DESCRIPTOR_INVALID",
    `service ${of.name}: sockets: ${message}`,
    hint === undefined ? {} : { hint },
  );
}
