// run --tether ssh://: a real sshd in a Debian 11 root as the living source.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { captureHost, nothingLeft } from "../support/capture.ts";
import { eventually } from "../support/enter.ts";
import { FarMachine, whyNoFar } from "../support/far-machine.ts";
import { makeSmallRoot } from "../support/small-root.ts";
import { until, whyNot } from "./runtime-fixture.ts";

test("a far source: fetched, a broken connection is made again, a lost one is told once", {
  skip: whyNoFar() || (whyNot() ?? false),
}, async (t) => {
  const host = await captureHost(t);
  const small = join(host.base, "small");
  mkdirSync(small);
  makeSmallRoot(small);
  const far = await FarMachine.start(t, host);
  host.rebase();
  const ok = async (...args: string[]) => {
    const done = await far.tool(args);
    assert.equal(done.status, 0, `${args.join(" ")}: ${done.stderr}`);
    return done;
  };
  await ok(
    "capture",
    "run",
    "-m",
    `rootfs:${small}`,
    "-t",
    "small",
    "--no-closure",
    "--",
    "/bin/sh",
    "-c",
    ":",
  );
  const bytes = randomBytes(3 << 20);
  await far.run("mkdir -p /srv/more && echo one >/srv/more/one && echo two >/srv/more/two");
  writeFileSync(far.path("/srv/more/large"), bytes);
  const before = far.temporary();
  const step = (name: string, then: string) => `while [ ! -e /tmp/${name} ]; do sleep 0.1; done; ${then}`;
  const script = [
    "/bin/busybox sha256sum /srv/more/large; echo first",
    step("second", "cat /srv/more/one; echo second"),
    step("third", "cat /srv/more/two || echo without; [ -e /srv/more/three ] || echo still; echo third"),
    "sleep 1000",
  ].join("\n");
  await ok(
    "run",
    "-d",
    "--tether",
    far.address,
    "--network",
    "none",
    "--name",
    "far",
    "small",
    "sh",
    "-c",
    script,
  );
  t.after(() => far.tool(["rm", "-f", "far"]));
  const logs = async () => (await far.tool(["logs", "far"])).stdout;
  const says = (text: string) => until(async () => (await logs()).includes(text));
  const go = (name: string) => ok("exec", "far", "sh", "-c", `: >/tmp/${name}`);

  await says("first");
  assert.ok((await logs()).includes(createHash("sha256").update(bytes).digest("hex")), "whole");
  far.killSessions();
  await go("second");
  await says("second");
  assert.match(await logs(), /one\nsecond\n/);

  await far.stop();
  await go("third");
  await says("third");
  assert.match(await logs(), /without\nstill\nthird\n/);
  const [id = ""] = (await ok("ps", "-q", "--no-trunc")).stdout.split("\n");
  const words = readFileSync(join(host.state, "instances", id, "monitor.log"), "utf8");
  assert.equal(words.match(/what the application looks for now is missing/g)?.length, 1, words);
  const rows = JSON.parse((await ok("misses", "far", "--all", "--format", "json")).stdout) as {
    path: string;
    state: string;
    why: string;
  }[];
  const of = (path: string) => rows.find((row) => row.path === path);
  assert.equal(of("/srv/more/one")?.state, "fetched");
  assert.equal(of("/srv/more/two")?.why, "the source could not be reached");

  // Another start goes on without its source, and says so; with the source it has it again.
  await ok("stop", "-t", "1", "far");
  const alone = await ok("start", "far");
  assert.match(alone.stderr, /the instance starts without its source/);
  await ok("stop", "-t", "1", "far");
  // Its overlay was volatile, and did not end in order.
  rmSync(join(far.directory, "work", "work", "incompat"), { recursive: true, force: true });
  await far.begin();
  await ok("start", "far");
  await says("two\n");
  const frozen = await ok("package", "freeze", "far", "-t", "whole", "--no-closure");
  assert.match(frozen.stderr, /layer fetched/);
  assert.match((await ok("why", "whole", "/srv/more/two")).stdout, /fetched while tethered/);
  await ok("rm", "-f", "far");
  const free = await ok(
    "run",
    "--rm",
    "--network",
    "none",
    "whole",
    "sh",
    "-c",
    "cat /srv/more/one /srv/more/two",
  );
  assert.equal(free.stdout, "one\ntwo\n");
  await eventually("the far machine is as it was", () => far.temporary().length === before.length);
  await nothingLeft(host);
});
