// Asks a port inside a network namespace: is it open, does it speak HTTP, what does it answer to GET /.
// This file is both: the library, and the program that runs inside the namespace.
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { joinCall } from "../host/enter.ts";
import { startEnter } from "../host/enter-process.ts";
import type { Probe } from "./parity.ts";

const patience = 5000;
const largestBody = 4 << 20;

/** pid: a process in the namespace. */
export async function probePort(pid: number, port: number): Promise<Probe> {
  const self = fileURLToPath(import.meta.url);
  const inside = startEnter(
    joinCall({
      pid,
      namespaces: ["net"],
      command: {
        argv: [process.execPath, "--disable-warning=ExperimentalWarning", self, String(port)],
        env: { NODE_EXTRA_CA_CERTS: "" },
      },
    }),
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  let text = "";
  inside.child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const status = await inside.exit;
  if (status !== 0) return { open: false, status: "", body: "" };
  return JSON.parse(text) as Probe;
}

function ask(port: number): Promise<Probe> {
  return new Promise((resolve) => {
    let answer = "";
    let open = false;
    const done = (): void => {
      socket.destroy();
      const [head = "", ...rest] = answer.split("\r\n\r\n");
      const status = /^HTTP\/[\d.]+ \d+[^\r\n]*/.exec(head)?.[0] ?? "";
      resolve({ open, status, body: status === "" ? "" : rest.join("\r\n\r\n") });
    };
    const socket = connect({ host: "127.0.0.1", port, timeout: patience });
    socket.setEncoding("latin1");
    socket.on("connect", () => {
      open = true;
      socket.write(`GET / HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    });
    socket.on("data", (chunk: string) => {
      answer += chunk;
      // A greeting that is no HTTP: the port is another protocol's, and open.
      if (answer.length > largestBody || !"HTTP/".startsWith(answer.slice(0, 5))) done();
    });
    socket.on("timeout", done);
    socket.on("error", done);
    socket.on("close", done);
  });
}

if (import.meta.main) process.stdout.write(JSON.stringify(await ask(Number(process.argv[2]))));
