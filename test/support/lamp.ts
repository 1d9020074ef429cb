// The guest book of the demo as tests use it: its old machine, the capture of it, its pages, what it is run with.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../../src/cli/context.ts";
import { installRoot } from "../../src/host/native.ts";
import type { StateRoot } from "../../src/host/state-root.ts";
import type { Fixture } from "../integration/runtime-fixture.ts";
import { lamp } from "./roots.ts";

export const machine = `rootfs:${lamp}`;
export const exercise = join(installRoot, "demo/guestbook/exercise");
const key = "/etc/guestbook/signing.key";
export const secret = `${key}=${join(lamp, key)}`;

/** undefined where the host can run the tests; else why it cannot. */
export function whyNoLamp(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  const built = existsSync(`${lamp}.stamp`);
  if (!built && !existsSync("/usr/sbin/debootstrap")) return "needs debootstrap to build the old machine";
  return undefined;
}

/** Does nothing where it is built already. */
export function buildLamp(): void {
  execFileSync(join(installRoot, "demo/build-source"), [lamp], { stdio: "inherit" });
}

/** Captures the two services into a state root; returns what the capture printed. */
export async function captureGuestbook(fixture: Fixture, stateRoot: string): Promise<string> {
  const words = [
    "capture", "run", "-m", machine, "-t", "guestbook", "--service", "mariadb", "--service", "apache2",
    "--until-port", "80", "--until-port", "3306", "--exercise", exercise,
  ]; // biome-ignore format: a command line
  const { status, stdout, stderr } = await fixture.cli(words, { env: { TRANSHIP_ROOT: stateRoot } });
  assert.equal(status, 0, stderr);
  return stdout;
}

export interface Answer {
  status: number;
  body: Buffer;
}

/** Asks a port of the fixture's own network. */
export async function ask(
  fixture: Fixture,
  port: number,
  asked: readonly { path: string; form?: string }[],
): Promise<Answer[]> {
  const script = join(import.meta.dirname, "pages-inside.ts");
  const input = JSON.stringify({ port, asked });
  const { status, stdout, stderr } = await fixture.inside([process.execPath, script], { input });
  assert.equal(status, 0, stderr);
  const answers = JSON.parse(stdout) as { status: number; body: string }[];
  return answers.map((one) => ({ status: one.status, body: Buffer.from(one.body, "base64") }));
}

/** What the rooms below the command line are given here. */
export function quietContext(root: StateRoot): Context {
  const nothing = (): void => {};
  return {
    root,
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    progress: { begin: () => ({ advance: nothing, end: nothing }) },
    print: nothing,
    say: nothing,
    tellFailure: nothing,
    signal: new AbortController().signal,
    noInput: true,
    yes: true,
  };
}
