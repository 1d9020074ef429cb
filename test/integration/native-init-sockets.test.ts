// init gives services their sockets: in order, with names, as LISTEN_FDS or as standard input, and keeps them over a new start.
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { cannotRun, makePackage, services, until } from "../support/init-package.ts";

/** What the socket at a path of this host says; undefined where it is not there yet. */
function answer(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(path);
    socket.on("data", (data) => (text += data.toString()));
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
  });
}

describe("init gives sockets", { skip: cannotRun, concurrency: true }, () => {
  test("of every kind, in order, and keeps them over a new start", async (t) => {
    const p = await makePackage(
      t,
      services({
        web: {
          sockets: [
            { listen: "0.0.0.0:8080", name: "http" },
            { listen: "/run/web/own.sock", mode: "0620", uid: 1234, gid: 1235 },
            { listen: "[::]:514", type: "datagram", name: "log" },
            { listen: "[::1]:99", ipv6Only: true },
            { listen: "@hidden", type: "seqpacket", name: "x" },
          ],
          restart: { policy: "always", backoff: "10ms" },
          does: ["given", "env", "LISTEN_FDNAMES", "answer", "4", "first life or second"],
        },
        old: {
          sockets: [{ listen: "/run/old.sock", given: "input" }],
          does: ["given", "answer", "0", "inetd", "wait"],
        },
        plain: { does: ["given", "wait"] },
      }),
    );
    // The loopback address ::1 is there once the interface is up.
    const running = await p.start([], { prepare: "ip link set lo up" });
    await until(() => existsSync(p.path("run/web/own.sock")), "the socket is there");
    assert.equal(await answer(p.path("run/web/own.sock")), "first life or second\n");
    assert.equal(await answer(p.path("run/web/own.sock")), "first life or second\n");
    assert.equal(await answer(p.path("run/old.sock")), "inetd\n");
    const made = statSync(p.path("run/web/own.sock"));
    assert.deepEqual([made.mode & 0o777, made.uid, made.gid], [0o620, 1234, 1235]);
    await until(() => p.log().filter((line) => line.log?.startsWith("given")).length >= 5, "all have spoken");
    running.signal("SIGTERM");
    await running.ended;
    const said = (service: string): string[] =>
      p
        .log()
        .filter((line) => line.service === service)
        .map((line) => line.log ?? "")
        .slice(0, 7);
    assert.deepEqual(said("web"), [
      "given 5: http:web:log:web:x, ours\n",
      "3: type 1 listens 0.0.0.0 8080\n",
      "4: type 1 listens /run/web/own.sock\n",
      "5: type 2 :: 514\n",
      "6: type 1 listens ::1 99\n",
      "7: type 5 listens @hidden\n",
      "http:web:log:web:x\n",
    ]);
    assert.deepEqual(said("old"), ["given none: , not ours\n", "0: type 1 listens /run/old.sock\n"]);
    assert.deepEqual(said("plain"), ["given none: , not ours\n"]);
  });

  test("a socket that cannot be opened ends the start, and says which; one of an earlier run is replaced", async (t) => {
    const p = await makePackage(
      t,
      services({
        web: {
          sockets: [
            { listen: "/run/left.sock" },
            { listen: "0.0.0.0:80" },
            { listen: "0.0.0.0:80" },
            { listen: "/run/file" },
          ],
          does: ["wait"],
        },
        rest: { startup: "manual", sockets: [{ listen: "0.0.0.0:80", name: "unused" }], does: ["wait"] },
      }),
    );
    p.write("run/file", "is no socket\n");
    const ended = await p.run();
    assert.equal(ended.status, 125);
    assert.match(ended.stderr, /service web: cannot open its socket 0\.0\.0\.0 port 80: Address in use/);
    assert.match(ended.stderr, /service web: cannot open its socket \/run\/file: /);
    assert.doesNotMatch(ended.stderr, /left|service rest/);
    const again = await p.run();
    assert.doesNotMatch(again.stderr, /left/);
    assert.equal(p.read("run/file"), "is no socket\n");
  });
});
