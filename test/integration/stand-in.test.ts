// The program that stands for a service manager in a package: the real shell, below a PID 1 as init is one.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { test } from "node:test";
import { withStandIn } from "../../src/capture/application/manager-calls.ts";

const skip = process.getuid?.() === 0 ? false : "needs root";

/** Runs the script with the stand-in, beside a sleep that is a child of PID 1; what it printed, and whether sleep was told. */
function asked(script: string): { out: string; status: number; told: string } {
  const sleep = execFileSync("readlink", ["-f", "/usr/bin/sleep"], { encoding: "utf8" }).trim();
  const cases = new Map([
    ["shop:reload", `tell TERM ${sleep}`],
    ["shop:kill", `tell HUP ${sleep}`],
    ["shop:status", `main ${sleep} >/dev/null`],
    ["gone:status", "main /usr/bin/nothing >/dev/null"],
    ["shop:rotate", "echo rotated"],
  ]);
  const command = withStandIn("test", ["/bin/sh", "-c", script], cases);
  const inner =
    'mount -t tmpfs none /run; sleep 30 & "$@"; s=$?; kill -KILL $! 2>/dev/null; wait $! 2>/dev/null; echo "sleep $?"; exit $s';
  const ran = spawnSync("unshare", ["-f", "-p", "-m", "--mount-proc", "sh", "-c", inner, "sh", ...command], {
    encoding: "utf8",
  });
  const told = /sleep (\d+)/.exec(ran.stdout)?.[1] ?? "";
  return { out: `${ran.stdout.replace(/sleep \d+\n/, "")}${ran.stderr}`, status: ran.status ?? -1, told };
}

test("signals reach the main process, verbs of scripts are run, states are told", { skip }, () => {
  assert.equal(asked("systemctl --no-block reload shop.service").told, String(128 + 15));
  assert.equal(asked("service shop reload").told, String(128 + 15));
  assert.equal(asked("systemctl kill -s HUP --kill-who=main shop").told, String(128 + 1));
  assert.equal(asked("invoke-rc.d --quiet shop rotate").out, "rotated\n");
  assert.equal(asked("systemctl is-active -q shop && echo yes").out, "yes\n");
  assert.equal(asked("invoke-rc.d gone status || echo no").out, "no\n");
});

test("what was not found in a script when it was captured is refused, aloud", { skip }, () => {
  const { out, status, told } = asked("systemctl restart shop");
  assert.equal(told, String(128 + 9));
  assert.equal(status, 1);
  assert.match(out, /systemctl: shop has no restart in a package/);
});
