// What a plan says of the run: which listeners the exercise reached, though it is not traced itself.
import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parsePlan } from "../../src/capture/plan-file.ts";
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
});
