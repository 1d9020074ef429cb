// kill -9 of enter, of what is inside and of the caller, at moments from before the set-up to after it: nothing is left.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { callArguments, joinCall, sandboxCall } from "../../src/host/enter.ts";
import { startEnter } from "../../src/host/enter-process.ts";
import { nativePath } from "../../src/host/native.ts";
import {
  debianRoot,
  eventually,
  isAlive,
  kernelMounts,
  linksOf,
  makeDir,
  mountTargets,
  noRoot,
  processesNaming,
  temporary,
} from "../support/enter.ts";

const skip = noRoot;
/** Milliseconds after the start (a whole set-up takes about five), and when the command surely runs. */
const moments = [0, 1, 2, 3, 4, 6, 8, 12, 20, "running"] as const;
const script = "sleep 600 & sleep 601";

async function moment(when: (typeof moments)[number], dir: string): Promise<void> {
  const runs = (pid: number) =>
    readFileSync(`/proc/${pid}/cmdline`, "latin1").startsWith(`sh\0-c\0${script}\0`);
  if (when === "running") await eventually("the command runs", () => processesNaming(dir).some(runs));
  else await sleep(when);
}

/** All three processes of it (monitor, PID 1, command) have dir in their command line. */
function marked(dir: string) {
  return sandboxCall({
    mounts: [
      {
        kind: "overlay",
        target: "/",
        lowers: [debianRoot],
        upper: { dir: makeDir(dir, "upper"), work: makeDir(dir, "work") },
      },
      ...kernelMounts,
    ],
    network: "own",
    command: { argv: ["sh", "-c", script, dir] },
  });
}

async function gone(dir: string, mounts: string[]): Promise<void> {
  await eventually(`no process of ${dir} is left`, () => processesNaming(dir).length === 0);
  assert.deepEqual(mountTargets(), mounts);
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.on("exit", () => resolve()));
}

test("kill -9 of enter at stepped moments", { skip }, async (t) => {
  const dir = temporary(t);
  const mounts = mountTargets();
  for (const when of moments) {
    const child = spawn(nativePath("enter"), callArguments(marked(dir)), { stdio: "ignore" });
    const end = ended(child);
    await moment(when, dir);
    child.kill("SIGKILL");
    await end;
    await gone(dir, mounts);
  }
});

test("kill -9 of the caller at stepped moments", { skip }, async (t) => {
  const dir = temporary(t);
  const mounts = mountTargets();
  // The caller is a shell that names itself as the parent; it is killed, not enter.
  const words = callArguments(marked(dir), ["--parent", "PARENT"]);
  const names = 'for w; do shift; [ "$w" = PARENT ] && w=$$; set -- "$@" "$w"; done; "$@" & wait';
  for (const when of moments) {
    const caller = spawn("sh", ["-c", names, "caller", nativePath("enter"), ...words], { stdio: "ignore" });
    const end = ended(caller);
    await moment(when, dir);
    caller.kill("SIGKILL");
    await end;
    await gone(dir, mounts);
  }
});

test("kill -9 of PID 1, of a held sandbox and of the caller of a joined command", { skip }, async (t) => {
  const dir = temporary(t);
  const mounts = mountTargets();
  const links = linksOf("self");
  const box = startEnter(marked(dir), { stdio: ["ignore", "ignore", "ignore"] });
  const first = await box.ready;
  const joined = startEnter(
    joinCall({ pid: first.pid, command: { argv: ["sh", "-c", "sleep 602; :", dir] } }),
    {
      stdio: ["ignore", "ignore", "ignore"],
    },
  );
  const inside = await joined.ready;
  joined.child.kill("SIGKILL");
  await joined.exit;
  await eventually("the joined command died with its monitor", () => !isAlive(inside.pid));
  process.kill(first.pid, "SIGKILL");
  assert.equal(await box.exit, 137);
  await gone(dir, mounts);

  const held = startEnter(marked(dir), { stdio: ["ignore", "ignore", "ignore"], hold: true });
  const second = await held.ready;
  assert.ok(isAlive(second.pid));
  held.child.kill("SIGKILL");
  await held.exit;
  await gone(dir, mounts);

  const refused = startEnter(marked(dir), { stdio: ["ignore", "ignore", "ignore"], hold: true });
  await refused.ready;
  refused.abandon();
  assert.equal(await refused.exit, 125, "a caller that hangs up gives up");
  await gone(dir, mounts);
  assert.deepEqual(linksOf("self"), links);
});

test("an error at any operation leaves nothing", { skip }, async (t) => {
  const dir = temporary(t);
  const mounts = mountTargets();
  const call = marked(dir);
  for (const broken of [
    ["--bind", join(dir, "absent"), "/mnt"],
    ["--bind", "/etc/passwd", "/etc"],
    ["--tmpfs", "/etc/passwd", "755"],
    ["--chdir", "/no/such/directory"],
    ["--hostname", "x".repeat(65)],
  ]) {
    const ran = startEnter(
      { ...call, options: [...call.options, ...broken] },
      { stdio: ["ignore", "ignore", "ignore"] },
    );
    assert.equal(await ran.exit, 125, broken.join(" "));
    const failure = await ran.failure;
    assert.ok(failure && failure.errno > 0, broken.join(" "));
    await gone(dir, mounts);
  }
});
