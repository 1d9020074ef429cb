// Fast loopback: each case of native/engine/test/loopback.py prints the same by TCP and over AF_UNIX, and each connection goes the way that is promised.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, type TestContext, test } from "node:test";
import { soaking } from "../support/counts.ts";
import { all, cannotRun, engine, run } from "../support/engine.ts";

const script = join(import.meta.dirname, "../../native/engine/test/loopback.py");
const python = ["/usr/bin/python3", script];
const fast = [engine, "--fast-loopback"];
const asRoot = process.getuid?.() === 0 ? false : "needs root";
const nobody = 65534;

const names = spawnSync("/usr/bin/python3", [script], { encoding: "utf8" }).stdout.trim().split("\n");

async function judge(command: readonly string[], name: string, way: string): Promise<string> {
  const { status, stdout, stderr } = await run([...command, ...python, name]);
  assert.equal(status, 0, `${command.join(" ")} ${name}: ${stdout}${stderr}`);
  assert.equal(stderr.replaceAll(`${way}\n`, ""), "", `${name}: connections that do not go by ${way}`);
  return stdout;
}

/** A server of its own, whose user is `uid`; what is asked, and which way both ends of each connection went. */
async function between(
  t: TestContext,
  server: readonly string[],
  client: readonly string[],
  { serverUid = 0, clientUid = 0 } = {},
): Promise<{ answers: string[]; ways: string[] }> {
  const [program = "", ...words] = [...server, ...python, "serve", String(serverUid)];
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  const closed = once(child, "close");
  let ways = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    ways += text;
  });
  const [port] = (await once(createInterface(child.stdout), "line")) as [string];
  const asked = await run([...client, ...python, "ask", port, String(clientUid)]);
  assert.equal(asked.status, 0, asked.stderr);
  await run([...python, "run", `socket.create_connection(("127.0.0.1", ${port})).sendall(b"end")`]);
  await closed;
  // The last is the outsider that ended it.
  const served = ways.trim().split("\n").slice(0, -1);
  const answer = `('127.0.0.1', ${port})`;
  return {
    answers: asked.stdout.trim().replaceAll(answer, "PEER").split("\n"),
    ways: [...new Set([...served, ...asked.stderr.trim().split("\n")])],
  };
}

const answers = ["b'ONE from 127.0.0.1' PEER", "b'TWO from 127.0.0.1' PEER"];

describe("fast loopback", { skip: cannotRun }, () => {
  test("programs see what they see by TCP", async () => {
    assert.ok(names.length >= 35);
    await all(names, 4, async (name) => {
      const natively = await judge([], name, "tcp");
      assert.equal(await judge([engine], name, "tcp"), natively, name);
      for (let n = 0; n < (soaking ? 100 : 1); n++)
        assert.equal(await judge(fast, name, "fast"), natively, name);
      assert.equal(await judge([...fast, "--trap=seccomp"], name, "fast"), natively, name);
    });
  });

  const pairs = [
    { title: "two programs that have it", server: fast, client: fast, way: "fast" },
    { title: "a server that has it, and others", server: fast, client: [], way: "tcp" },
    { title: "others, and a client that has it", server: [], client: fast, way: "tcp" },
    { title: "a client in the engine without it", server: fast, client: [engine], way: "tcp" },
  ] as const;
  for (const { title, server, client, way } of pairs)
    test(title, async (t) => {
      assert.deepEqual(await between(t, server, client), { answers, ways: [way] });
    });

  const users = [
    { title: "a server of root and a client of a user", uids: { clientUid: nobody }, way: "fast" },
    { title: "one user", uids: { serverUid: nobody, clientUid: nobody }, way: "fast" },
    { title: "a server of another user is reached by TCP", uids: { serverUid: nobody }, way: "tcp" },
  ] as const;
  for (const { title, uids, way } of users)
    test(title, { skip: asRoot }, async (t) => {
      assert.deepEqual(await between(t, fast, fast, uids), { answers, ways: [way] });
    });

  test("Node, with requests one after the other and at once, by HTTP", async () => {
    const text = `
const http = require("node:http");
const s = http.createServer((q, a) => a.end(q.url + " " + q.socket.remoteAddress)).listen(0, "127.0.0.1", async () => {
  const at = "http://127.0.0.1:" + s.address().port;
  const got = [];
  for (let n = 0; n < 20; n++) got.push(await (await fetch(at + "/" + n)).text());
  got.push(...await Promise.all(Array.from({ length: 50 }, async (_, n) => await (await fetch(at + "/" + n, { headers: { connection: "close" } })).text())));
  console.log(got.filter((word) => /^.\\d+ 127.0.0.1$/.test(word)).length, require("node:fs").readFileSync("/proc/net/unix", "latin1").includes("tranship-tcp"));
  s.close(); s.closeAllConnections();
});`;
    // Names of sockets are a network's: others may use fast loopback on this host's.
    const alone =
      asRoot === false ? ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"] : [];
    assert.equal((await run([...alone, process.execPath, "-e", text])).stdout, "70 false\n");
    const { stdout, stderr } = await run([...alone, ...fast, process.execPath, "-e", text]);
    assert.equal(stdout, "70 true\n", stderr);
  });
});
