// What a plan says of the run: which listeners the exercise reached, though it is not traced itself.
import assert from "node:assert/strict";
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parsePlan } from "../../src/capture/plan/plan-file.ts";
import { captureHost, whyNoCapture } from "../support/capture.ts";

test("the plan tells what the exercise reached, and where writes go", { skip: whyNoCapture() }, async (t) => {
  const host = await captureHost(t);
  const exercise = join(host.base, "try.sh");
  const start =
    "mkdir -p /var/log/shop && echo 1 > /var/log/shop/start.log; httpd -p 8081 -h /srv; exec httpd -f -p 8080 -h /srv/www";
  const coverage = async (script: string) => {
    writeFileSync(exercise, `#!/bin/sh\n${script}\n`);
    chmodSync(exercise, 0o755);
    const plan = join(host.base, "plan.yaml");
    const words = ["--until-port", "8080", "--until-port", "8081", "--exercise", exercise, "--linger", "0s"];
    const made = await host.tool([
      "capture",
      "run",
      "-m",
      host.machine,
      "--plan-only",
      "-o",
      plan,
      ...words,
      "--",
      "/bin/sh",
      "-c",
      start,
    ]);
    assert.equal(made.status, 0, made.stderr);
    const parsed = parsePlan(readFileSync(plan, "utf8"), plan);
    const shown = await host.tool(["plan", "show", plan]);
    return {
      lines: new Map(parsed.coverage.map((line) => [line.what, line])),
      writes: parsed.writes,
      shown: shown.stdout,
    };
  };
  const one = await coverage("wget -q -O /dev/null http://127.0.0.1:8080/index.html");
  assert.deepEqual(one.lines.get("listeners")?.exercised, 1);
  assert.match(one.lines.get("listeners")?.never.join() ?? "", /:8081$/);
  assert.match(one.shown, /listeners +1 of 2 +never: tcp .*:8081/);
  assert.ok(
    one.writes.some(({ path, to }) => to === "log" && path === "/var/log/shop"),
    one.shown,
  );
  const none = await coverage("true");
  assert.deepEqual(none.lines.get("listeners")?.exercised, 0);

  // The second run reaches the other listener: joined, both were exercised, and each path keeps the reasons of both.
  const plan = (name: string) => join(host.base, name);
  renameSync(plan("plan.yaml"), plan("first.yaml"));
  renameSync(plan("plan.yaml.evidence.json"), plan("first.yaml.evidence.json"));
  writeFileSync(
    plan("first.yaml"),
    readFileSync(plan("first.yaml"), "utf8").replace("plan.yaml.evidence", "first.yaml.evidence"),
  );
  await coverage("wget -q -O /dev/null http://127.0.0.1:8080/index.html");
  renameSync(plan("plan.yaml"), plan("second.yaml"));
  renameSync(plan("plan.yaml.evidence.json"), plan("second.yaml.evidence.json"));
  writeFileSync(
    plan("second.yaml"),
    readFileSync(plan("second.yaml"), "utf8").replace("plan.yaml.evidence", "second.yaml.evidence"),
  );
  await coverage("wget -q -O /dev/null http://127.0.0.1:8081/www/data.txt");
  const join2 = [
    "--plan",
    plan("plan.yaml"),
    "--also",
    `plan:${plan("second.yaml")}`,
    "--also",
    `plan:${plan("first.yaml")}`,
  ];
  const joined = await host.tool(["capture", "run", ...join2, "--plan-only", "-o", plan("joined.yaml")]);
  assert.equal(joined.status, 0, joined.stderr);
  const whole = parsePlan(readFileSync(plan("joined.yaml"), "utf8"), "joined.yaml");
  const listeners = whole.coverage.find((line) => line.what === "listeners");
  assert.deepEqual(listeners, { what: "listeners", total: 2, exercised: 2, never: [] });
  const files = new Set(whole.groups.flatMap((group) => group.files));
  for (const path of ["/srv/www/index.html", "/srv/www/data.txt"]) assert.ok(files.has(path), path);
  assert.equal(files.size, whole.groups.flatMap((group) => group.files).length, "each path once");
  const packed = await host.tool(["capture", "run", ...join2, "-t", "both"]);
  assert.equal(packed.status, 0, packed.stderr);
  for (const path of ["/srv/www/index.html", "/srv/www/data.txt"])
    assert.match((await host.tool(["why", "both", path])).stdout, /traced: read by/);
  writeFileSync(
    plan("first.yaml"),
    readFileSync(plan("first.yaml"), "utf8").replace(/machine: .*/, "machine: rootfs:/elsewhere"),
  );
  const foreign = await host.tool(["capture", "run", ...join2, "-t", "x"]);
  assert.equal(foreign.status, 2);
  assert.match(foreign.stderr, /first\.yaml is of rootfs:\/elsewhere/);
});
