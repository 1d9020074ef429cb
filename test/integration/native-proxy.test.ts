// native/proxy with few descriptors: what it cannot take waits or makes room, and it lives.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket, type Socket as Datagrams } from "node:dgram";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { nativePath } from "../../src/host/native.ts";
import { until } from "./runtime-fixture.ts";

const skip = existsSync("/proc/sys/net/ipv6") ? false : "needs IPv6";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "::1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

describe("a proxy with 64 descriptors", { skip, timeout: 120_000 }, () => {
  const server = createServer((socket) => socket.on("error", () => {}).pipe(socket));
  const echo = createSocket("udp4");
  let proxy: ChildProcess;
  let port: number;

  before(async () => {
    echo.on("message", (_, from) => echo.send(String(from.port), from.port, from.address));
    echo.bind(0, "127.0.0.1");
    server.listen(0, "127.0.0.1");
    await Promise.all([once(server, "listening"), once(echo, "listening")]);
    port = await freePort();
    const lead = (protocol: string, to: number): string[] => [
      protocol,
      "::1",
      String(port),
      `127.0.0.1,${to}`,
    ];
    const words = [
      ...["lo", String(process.pid)],
      ...lead("tcp", (server.address() as AddressInfo).port),
      ...lead("udp", echo.address().port),
    ];
    proxy = spawn("sh", ["-c", 'ulimit -n 64; exec "$0" "$@"', nativePath("proxy"), ...words], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    assert.equal(String(await once(proxy.stdout as NonNullable<typeof proxy.stdout>, "data")), "ready\n");
  });
  after(() => {
    proxy.kill("SIGKILL");
    server.close();
    echo.close();
  });

  const said = async (socket: Socket, text: string): Promise<string> => {
    const answer = once(socket, "data");
    socket.write(text);
    return String(await answer);
  };
  const ask = async (socket: Datagrams): Promise<string> => {
    const answer = once(socket, "message");
    socket.send("?", port, "::1");
    return String((await answer)[0]);
  };

  it("keeps connections that it has, and takes others as these end", async () => {
    const callers = Array.from({ length: 60 }, () => connect(port, "::1").on("error", () => {}));
    await Promise.all(callers.map((one) => once(one, "connect")));
    const [first, ...others] = callers as [Socket, ...Socket[]];
    assert.equal(await said(first, "one"), "one");
    // Some turns of its loop without a descriptor left.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.equal(await said(first, "two"), "two");
    const last = others.pop() as Socket;
    for (const one of others) one.destroy();
    assert.equal(await said(last, "three"), "three");
    last.destroy();
    first.destroy();
  });

  it("answers more clients of UDP than it can have at a time, and has room for connections", async () => {
    const clients = Array.from({ length: 200 }, () => createSocket("udp6"));
    for (const one of clients) assert.match(await ask(one), /^\d+$/);
    const caller = connect(port, "::1");
    await until(async () => (await said(caller, "hello")) === "hello", 20);
    caller.destroy();
    for (const one of clients) one.close();
    assert.equal(proxy.exitCode, null);
  });
});
