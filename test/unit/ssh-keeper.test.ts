import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { randomHex } from "../../src/host/random.ts";
import { keeperCommand, keeperEnd } from "../../src/machine/ssh/scripts.ts";

/** Runs the keeper here as a far machine's shell does, once it holds the connection. */
async function keeper(mark: string) {
  const child = spawn("sh", ["-c", keeperCommand(mark, true)], { stdio: ["pipe", "pipe", "ignore"] });
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false }))
    if (String(chunk).includes(`${mark}-end`)) break;
  return { input: child.stdin, closed };
}

test("what a session beside it still makes after the tool died is removed", async () => {
  const mark = `tranship-${randomHex(16)}`;
  const pushed = `/tmp/${mark}`;
  mkdirSync(pushed);
  const { input, closed } = await keeper(mark);
  input.end();
  while (existsSync(pushed)) await sleep(10);
  mkdirSync(`${pushed}/in-place`, { recursive: true });
  assert.equal(await closed, 0);
  assert.equal(existsSync(pushed), false);
});

test("it ends at once when it is told to", async () => {
  const mark = `tranship-${randomHex(16)}`;
  mkdirSync(`/tmp/${mark}`);
  const { input, closed } = await keeper(mark);
  input.write(keeperEnd);
  assert.equal(await closed, 0);
  assert.equal(existsSync(`/tmp/${mark}`), false);
});
