// Runs inside a network namespace (see probe.ts): asks one port of 127.0.0.1 and prints what it found as JSON.
import { connect } from "node:net";
import type { Probe } from "./parity.ts";

const patience = 5000;
const largestBody = 4 << 20;

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

process.stdout.write(JSON.stringify(await ask(Number(process.argv[2]))));
