// What a watched run shows beside files: sockets of the file system that somebody used, services that were told to read their
// configuration anew, directories that a boot makes anew, and each program that used a file.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parsePlan } from "../../src/capture/plan/plan-file.ts";
import { installRoot } from "../../src/host/native.ts";
import { captureHost, nothingLeft, whyNoCapture } from "../support/capture.ts";

test("sockets, reloads and directories below /run", { skip: whyNoCapture() }, async (t) => {
  const host = await captureHost(t);
  const root = host.source;
  for (const name of ["etc/systemd/system", "opt", "run/shop", "var/lock/shop", "srv"])
    mkdirSync(join(root, name), { recursive: true });
  const server = join(installRoot, "test/fixtures/unix-socket.c");
  execFileSync("gcc", ["-static", "-O1", "-o", join(root, "opt/unix-socket"), server]);
  symlinkSync("../run", join(root, "var/run"));
  writeFileSync(join(root, "etc/shop.conf"), "conf\n");
  writeFileSync(
    join(root, "opt/shop"),
    `#!/bin/sh
trap 'cat /etc/shop.conf >/dev/null; echo again >/run/shop/reloaded' HUP
cat /etc/shop.conf >/dev/null
echo $$ >/var/run/shop/shop.pid
: >/var/lock/shop/held
/opt/unix-socket read /etc/shop.conf
/opt/unix-socket serve /run/shop/used.sock /run/shop/idle.sock @shop &
httpd -p 8080 -h /srv
while :; do sleep 0.1; done
`,
  );
  chmodSync(join(root, "opt/shop"), 0o755);
  writeFileSync(
    join(root, "etc/systemd/system/shop.service"),
    "[Service]\nExecStart=/opt/shop\nExecReload=/bin/kill -HUP $MAINPID\n[Install]\nWantedBy=multi-user.target\n",
  );
  const exercise = join(host.base, "try.sh");
  const planFile = join(host.base, "plan.yaml");
  const planOf = async (script: string, ...more: string[]) => {
    writeFileSync(exercise, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const words = [
      "capture",
      "run",
      "-m",
      host.machine,
      "--service",
      "shop",
      "--until-port",
      "8080",
      "--exercise",
      exercise,
    ];
    const made = await host.tool([...words, ...more]);
    assert.equal(made.status, 0, made.stderr);
    return more.includes("--plan-only") ? parsePlan(readFileSync(planFile, "utf8"), planFile) : undefined;
  };
  const only = ["--plan-only", "-o", planFile];
  const idle = await planOf("sleep 0.2", ...only);
  const verbs = (plan: typeof idle) => plan?.coverage.find((line) => line.what === "service verbs");
  assert.deepEqual(verbs(idle)?.never, ["shop reload"]);
  assert.deepEqual(
    idle?.coverage.find((line) => line.what === "listeners")?.never.filter((one) => one.startsWith("unix")),
    ["unix /run/shop/idle.sock", "unix /run/shop/used.sock", "unix @shop"],
  );
  const reloaded = await planOf(
    '/opt/unix-socket ask /run/shop/used.sock; kill -HUP "$(cat /run/shop/shop.pid)"; sleep 0.5',
    ...only,
  );
  assert.deepEqual(verbs(reloaded), { what: "service verbs", total: 3, exercised: 3, never: [] });
  const listeners = reloaded?.coverage.find((line) => line.what === "listeners");
  assert.deepEqual(
    listeners?.never.filter((one) => one.startsWith("unix")),
    ["unix /run/shop/idle.sock", "unix @shop"],
  );
  assert.deepEqual(
    reloaded?.package.directories.map(({ path, empty }) => `${path} ${empty === true}`),
    ["/run/shop true", "/var/lock/shop true"],
  );
  const places = new Map(reloaded?.writes.map(({ path, to }) => [path, to]));
  assert.deepEqual([places.get("/run/shop"), places.get("/var/lock/shop")], ["memory", "lock"]);

  await planOf("true", "-t", "shop");
  const why = (await host.tool(["why", "shop", "/etc/shop.conf"])).stdout;
  assert.match(why, /traced: read by \/bin\/busybox\n/);
  assert.match(why, /traced: read by \/opt\/unix-socket\n/, "each program that did so");
  await nothingLeft(host);
});
