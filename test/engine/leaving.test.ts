// Programs that leave the engine, and what it writes down of where paths and addresses led.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { networkRule } from "../../src/redirect/endpoints.ts";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { makeTable } from "../../src/redirect/rules.ts";
import { cannotRun, engine, place, run } from "../support/engine.ts";
import { aRule, enginePolicy } from "../support/engine-policy.ts";

const policy = join(place, "leaving.bin");
const app = join(place, "app");
const under = [engine, `--policy=${policy}`, `--package=${place}/package`, "--release=inside"];
const ways = [[], ["--trap=seccomp"]] as const;

describe("what leaves the engine", { skip: cannotRun }, () => {
  before(() => {
    mkdirSync(join(place, "package/srv"), { recursive: true });
    writeFileSync(join(place, "package/srv/file"), "of the package\n");
    const rule = aRule({ from: app, to: "/srv", mode: "full", match: "folder" }, 0);
    const network = [networkRule({ kind: "connect", from: "192.0.2.1:80", to: "127.0.0.1:1" }, 0)];
    const made = enginePolicy({ files: makeTable([rule]), network });
    writeFileSync(policy, encodePolicy({ ...made, excludes: ["uname", "stat", "python3"] }));
  });

  for (const way of ways) {
    const name = way.length > 0 ? "where a filter stays in force" : "by dispatch";
    test(`an excluded program is the host's own, with its children (${name})`, async () => {
      const script = "cat app/file; cat /proc/sys/kernel/osrelease | wc -l; uname -r; ls app";
      const { stdout, stderr } = await run([...under, ...way, "/bin/sh", "-c", script], { cwd: place });
      const release = readFileSync("/proc/sys/kernel/osrelease", "utf8");
      assert.equal(stdout, `of the package\n1\n${release}file\n`, stderr);
      const child = `import os, subprocess, threading
t = threading.Thread(target=lambda: print(os.uname().release, os.path.exists("${app}"), flush=True)); t.start(); t.join()
print(subprocess.run(["uname", "-r"], capture_output=True, text=True).stdout.strip())`;
      const other = await run([...under, ...way, "/bin/sh", "-c", `python3 -c '${child}'; echo $?`]);
      assert.equal(other.stdout, `${release.trim()} False\n${release}0\n`, other.stderr);
    });

    test(`its words that are paths of redirected files are those of the host (${name})`, async () => {
      const words = `stat -c %n ${app}/file ${app}/none -- /etc/passwd`;
      const { stdout } = await run([...under, ...way, "/bin/sh", "-c", words]);
      assert.equal(stdout, `${place}/package/srv/file\n/etc/passwd\n`);
      const many = `stat -c %n ${`${app}/file `.repeat(500)}`;
      const all = await run([...under, ...way, "/bin/sh", "-c", many]);
      assert.equal(all.stdout, `${place}/package/srv/file\n`.repeat(500), all.stderr);
    });
  }

  test("each process writes down what led where, and no more than its share", async () => {
    const log = join(place, "log");
    mkdirSync(log);
    chmodSync(log, 0o1777);
    const odd = 'x"\\\n';
    const long = `${app}/${`${'"'.repeat(200)}/`.repeat(4)}x`;
    const script = `import os, socket
s = socket.socket(); s.connect_ex(("192.0.2.1", 80)); socket.socket().connect_ex(("127.0.0.1", 2))
open("${app}/file").close(); os.path.exists(${JSON.stringify(`${app}/${odd}`)}); os.path.exists(${JSON.stringify(long)})
for i in range(20000): os.path.exists("/etc/passwd")
`;
    // By a name that is not excluded.
    const copy = join(place, "py");
    writeFileSync(copy, readFileSync("/usr/bin/python3"), { mode: 0o755 });
    const { status, stderr } = await run([...under, `--log=${log}`, copy, "-c", script]);
    assert.equal(status, 0, stderr);
    const [file = ""] = readdirSync(log);
    const text = readFileSync(join(log, file), "utf8");
    assert.ok(text.length < (1 << 20) + 4096, String(text.length));
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(lines.at(-1), { full: true });
    const told = (from: string): object => {
      const { time, tid, ...rest } = lines.find((line) => line.from === from);
      assert.ok(Math.abs(time - Date.now()) < 600_000 && tid > 0);
      return rest;
    };
    const at = (kind: string, from: string, to: string): object => ({
      kind,
      from,
      to,
      redirected: from !== to,
    });
    assert.deepEqual(told(`${app}/file`), at("file", `${app}/file`, `${place}/package/srv/file`));
    assert.deepEqual(told(`${app}/${odd}`), at("file", `${app}/${odd}`, `${place}/package/srv/${odd}`));
    const cut = lines.find((line) => line.from.includes('/""""')).from;
    assert.ok(long.startsWith(cut) && cut.length > app.length + 50 && cut.length < 1000, cut);
    assert.deepEqual(told("/etc/passwd"), at("file", "/etc/passwd", "/etc/passwd"));
    assert.deepEqual(told("192.0.2.1:80"), at("connect", "192.0.2.1:80", "127.0.0.1:1"));
    assert.deepEqual(told("127.0.0.1:2"), at("connect", "127.0.0.1:2", "127.0.0.1:2"));
  });
});
