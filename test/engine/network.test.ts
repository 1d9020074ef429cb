// Addresses that lead elsewhere, in the process: what is bound, connected and sent to, and what programs are told of it. Without rules nothing of it works here.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { networkRule } from "../../src/redirect/endpoints.ts";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { cannotRun, compile, engine, linkings, place, run } from "../support/engine.ts";
import { enginePolicy } from "../support/engine-policy.ts";

const policy = join(place, "network.bin");
const under = [engine, `--policy=${policy}`, "--package=/"];

/** A port that nobody has. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

const cases = [
  { name: "IPv4", bound: "192.0.2.9 8080", asked: "192.0.2.7 13000" },
  { name: "IPv6", bound: "2001:db8::9 8080", asked: "2001:db8::7 13000" },
  { name: "IPv4 in sockets of IPv6", bound: "::ffff:192.0.2.9 8080", asked: "::ffff:192.0.2.7 13000" },
  { name: "any address of a port", bound: "192.0.2.9 8080", asked: "198.51.100.1 14000" },
] as const;

const expected = (bound: string, asked: string): string =>
  [
    ...[`bound ${bound}`, `peer ${asked}`, `accepted ${bound}`, `peer in a child ${asked}`, "read 1"],
    ...[
      `answer from ${asked}`,
      `message from ${asked}`,
      "batch 2 of 5 5",
      `batch from ${asked}`,
      `batch from ${asked}`,
      `connected to ${asked}`,
      "dissolved errno 107",
      "",
    ],
  ].join("\n");

describe("network redirection", { skip: cannotRun }, () => {
  let port: number;
  let second: number;
  before(async () => {
    [port, second] = [await freePort(), await freePort()];
    const rules = [
      { kind: "bind", from: "192.0.2.9:8080", to: `127.0.0.1:${port}` },
      { kind: "connect", from: "192.0.2.7:13000", to: `127.0.0.1:${port}` },
      { kind: "connect", from: "*:14000", to: `127.0.0.1:${port}` },
      { kind: "connect", from: "192.0.2.8:13000", to: `127.0.0.1:${second}` },
      { kind: "bind", from: "[2001:db8::9]:8080", to: `[::1]:${port}` },
      { kind: "connect", from: "[2001:db8::7]:13000", to: `[::1]:${port}` },
      { kind: "bind", from: "192.0.2.10:8080", to: `*:${port}` },
    ] as const;
    writeFileSync(
      policy,
      encodePolicy(enginePolicy({ network: rules.map((rule, i) => networkRule(rule, i)) })),
    );
  });

  for (const { name, bound, asked } of cases) {
    for (const linking of linkings)
      for (const way of [[], ["raw"]])
        test(`${name}: ${linking}${way.length > 0 ? ", raw calls" : ""}`, async () => {
          const words = [compile("net", linking), ...way, ...bound.split(" "), ...asked.split(" ")];
          const { stdout, stderr } = await run([...under, ...words]);
          assert.equal(stdout, expected(bound, asked), stderr);
        });
  }

  test("without rules the addresses are those of no machine here", async () => {
    const words = [compile("net", "static"), "192.0.2.9", "8080", "192.0.2.7", "13000"];
    assert.equal((await run([engine, ...words])).stdout, "bind errno 99\n");
  });

  test("addresses without a rule stay as they are, and so do other sockets", async () => {
    const other = await freePort();
    const words = [compile("net", "dynamic"), "127.0.0.1", String(other), "127.0.0.1", String(other)];
    const own = `127.0.0.1 ${other}`;
    assert.equal((await run([...under, ...words])).stdout, expected(own, own));
    const pair = "import socket; a, b = socket.socketpair(); a.send(b'x'); print(b.recv(1), a.getsockname())";
    assert.equal((await run([...under, "/usr/bin/python3", "-c", pair])).stdout, "b'x' \n");
  });

  test("what is bound at an address that is to be reached at any listens at all", async () => {
    const script = `
import socket, os, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("192.0.2.10", 8080)); s.listen()
print(s.getsockname())
c = socket.create_connection(("127.0.0.2", ${port})); a, _ = s.accept()
print(a.getsockname(), c.getpeername())
os.set_inheritable(a.fileno(), True); sys.stdout.flush()
os.execv(sys.executable, ["python3", "-c", "import socket; print(socket.socket(fileno=%d).getsockname())" % a.fileno()])
`;
    const { stdout, stderr } = await run([...under, "/usr/bin/python3", "-c", script]);
    const lines = [
      "('192.0.2.10', 8080)",
      `('192.0.2.10', 8080) ('127.0.0.2', ${port})`,
      "('192.0.2.10', 8080)",
    ];
    assert.deepEqual(stdout.trim().split("\n"), lines, stderr);
  });

  test("each peer of a socket is told as it was asked for", async () => {
    const script = `
import socket
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); told = []
for real, asked in ((${port}, ("192.0.2.7", 13000)), (${second}, ("192.0.2.8", 13000))):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", real)); c.sendto(b"1", asked); told.append(s)
for s in told: s.sendto(b"2", s.recvfrom(8)[1])
print(c.recvfrom(8)[1], c.recvfrom(8)[1])
c.connect(("127.0.0.1", ${second})); print(c.getpeername())
d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.connect(("127.0.0.1", ${port})); print(d.getpeername())
`;
    const { stdout, stderr } = await run([...under, "/usr/bin/python3", "-c", script]);
    const lines = [
      "('192.0.2.7', 13000) ('192.0.2.8', 13000)",
      `('127.0.0.1', ${second})`,
      `('127.0.0.1', ${port})`,
    ];
    assert.deepEqual(stdout.trim().split("\n"), lines, stderr);
  });

  test("Node connects, in threads and by its own event loop", async () => {
    const script = `
const net = require("node:net");
const s = net.createServer((c) => { c.end("hello " + c.localAddress + ":" + c.localPort); }).listen(8080, "192.0.2.9", () => {
  const c = net.connect(13000, "192.0.2.7", () => console.log(c.remoteAddress, c.remotePort));
  c.on("data", (d) => console.log(String(d))).on("close", () => s.close());
});`;
    const { stdout, stderr } = await run([...under, process.execPath, "-e", script]);
    assert.equal(stdout, "192.0.2.7 13000\nhello 192.0.2.9:8080\n", stderr);
  });
});
