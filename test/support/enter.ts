// What the tests of native/enter share: a root to run in, one-line runs, and proofs that nothing is left.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { EnterCall, EnterMount, OverlayMount } from "../../src/host/enter.ts";
import {
  type EnterFailure,
  type EnterReady,
  type StartOptions,
  startEnter,
} from "../../src/host/enter-process.ts";
import { readMounts } from "../../src/host/mountinfo.ts";
import { debian11 } from "./roots.ts";

/** Why tests that make namespaces cannot run here, or false. */
export const noRoot = process.getuid?.() === 0 ? false : "needs root";

/** A tree with a shell and dpkg: an old Debian where one was set up, else this host. Only ever a lower layer. */
export const debianRoot =
  [debian11].find((dir) => dir !== "" && existsSync(join(dir, "usr/bin/dpkg"))) ?? "/";

export function temporary(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "tranship-enter-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function makeDir(...parts: string[]): string {
  const dir = join(...parts);
  mkdirSync(dir, { recursive: true });
  return dir;
}

export const scratchRoot: OverlayMount = {
  kind: "overlay",
  target: "/",
  lowers: [debianRoot],
  upper: "scratch",
};
export const kernelMounts: readonly EnterMount[] = [
  { kind: "proc", target: "/proc" },
  { kind: "dev", target: "/dev" },
  { kind: "tmpfs", target: "/tmp", mode: 0o1777 },
];
export const scratchMounts: readonly EnterMount[] = [scratchRoot, ...kernelMounts];

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
  ready: EnterReady | undefined;
  failure: EnterFailure | undefined;
}

/** Runs to the end. Output is latin1: a char per byte. */
export async function runEnter(call: EnterCall, options: StartOptions = {}): Promise<Outcome> {
  const started = startEnter(call, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  started.child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk.toString("latin1");
  });
  started.child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("latin1");
  });
  const ready = await started.ready.catch(() => undefined);
  const failure = await started.failure;
  return { status: await started.exit, stdout, stderr, ready, failure };
}

/** Waits for a fact that another process brings about; fails when it does not come. */
export async function eventually(what: string, fact: () => boolean): Promise<void> {
  for (let round = 0; round < 6000; round++) {
    if (fact()) return;
    await sleep(10);
  }
  assert.fail(`never came true: ${what}`);
}

/** Processes whose command line holds the text (a path of the test's own directory). */
export function processesNaming(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "latin1").includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/** Targets mounted in this process' namespace. */
export function mountTargets(): string[] {
  return readMounts().map((mount) => `${mount.id} ${mount.target}`);
}

/** Interfaces of the network namespace of a process. */
export function linksOf(pid: number | "self"): string[] {
  return readFileSync(`/proc/${pid}/net/dev`, "latin1")
    .split("\n")
    .slice(2)
    .flatMap((line) => /^\s*([^:\s]+):/.exec(line)?.[1] ?? [])
    .sort();
}
