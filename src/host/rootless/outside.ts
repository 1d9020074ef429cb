// The network of a user's instances and the outside: slirp4netns or pasta, which need no rights but the node of tunnels. Ports of this host are
// given by slirp4netns alone, asked over its socket.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { nativePath } from "../native.ts";
import { childProcess } from "../process.ts";

function socketOf(root: string): string {
  return join(root, "slirp.sock");
}

/** It ends with the process. */
export async function linkOutside(
  root: string,
  program: "slirp4netns" | "pasta",
  pid: number,
  log: Log,
): Promise<void> {
  const socket = socketOf(root);
  rmSync(socket, { force: true });
  const words =
    program === "pasta"
      ? [
          "--foreground",
          "--config-net",
          "--quiet",
          "-t",
          "none",
          "-u",
          "none",
          "-T",
          "none",
          "-U",
          "none",
          String(pid),
        ]
      : [
          "--configure",
          "--mtu=65520",
          "--disable-host-loopback",
          "--api-socket",
          socket,
          String(pid),
          "tap0",
        ];
  // It holds the network itself: by itself it would outlive everything else there.
  const whole = ["beside", String(pid), program, ...words];
  const child = childProcess().spawn(nativePath("rootless"), whole, {
    detached: true,
    stdio: "ignore",
    cwd: "/",
  });
  let ended = false;
  child.on("exit", () => {
    ended = true;
  });
  child.on("error", () => {
    ended = true;
  });
  child.unref();
  for (let round = 0; round < 200 && !ended; round++) {
    if (program === "slirp4netns" ? existsSync(socket) : hasTunnel(pid)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  log.warn(`${program} does not work here: instances reach each other, but not the outside`);
}

/** A device beside the loopback, in the network of that process. */
function hasTunnel(pid: number): boolean {
  return readFileSync(`/proc/${pid}/net/dev`, "latin1").trim().split("\n").length > 3;
}

export interface Forward {
  protocol: string;
  hostAddress: string;
  hostPort: number;
}

interface Listed {
  id: number;
  proto: string;
  host_addr: string;
  host_port: number;
}

/** Ports of this host, taken by slirp4netns and given to the same ports of the instances' network. E_PORT_TAKEN, E_NETWORK. */
export async function addForwards(root: string, forwards: readonly Forward[]): Promise<void> {
  for (const { protocol, hostAddress, hostPort } of forwards) {
    const words = { proto: protocol, host_addr: hostAddress || "0.0.0.0", host_port: hostPort };
    const answer = await ask(root, "add_hostfwd", {
      ...words,
      guest_addr: "10.0.2.100",
      guest_port: hostPort,
    });
    if (answer.error === undefined) continue;
    throw new TranshipError("E_PORT_TAKEN", `port ${hostPort}/${protocol} of this host cannot be taken`, {
      hint: hostPort < 1024 ? "ports below 1024 are root's: publish a higher one" : "publish another port",
    });
  }
}

/** Those that are not there are left alone. */
export async function removeForwards(root: string, forwards: readonly Forward[]): Promise<void> {
  if (forwards.length === 0 || !existsSync(socketOf(root))) return;
  // Where it was killed, its ports have gone with it.
  const listed = (await ask(root, "list_hostfwd", {}).catch(() => ({ entries: [] }))).entries ?? [];
  for (const { protocol, hostPort } of forwards) {
    const found = listed.find((one) => one.proto === protocol && one.host_port === hostPort);
    if (found !== undefined) await ask(root, "remove_hostfwd", { id: found.id });
  }
}

interface Answer {
  error?: unknown;
  /** Of list_hostfwd. */
  entries?: Listed[];
}

function ask(root: string, execute: string, words: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error): void =>
      reject(
        new TranshipError(
          "E_NETWORK",
          "ports of this host can be published by slirp4netns alone, which does not run",
          {
            hint: "`tranship doctor` says what is missing; --network host needs no publishing",
            cause,
          },
        ),
      );
    let text = "";
    const socket = createConnection(socketOf(root));
    socket.on("error", refuse);
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on("close", () => {
      try {
        resolve(JSON.parse(text) as Answer);
      } catch (cause) {
        refuse(cause as Error);
      }
    });
    socket.on("connect", () => socket.end(JSON.stringify({ execute, arguments: words })));
  });
}
