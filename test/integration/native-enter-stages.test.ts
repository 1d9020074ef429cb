// An enter that is told its call in parts, as native/supervise starts it before anybody knows the whole.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { type TestContext, test } from "node:test";
import { type EnterMount, launchParts } from "../../src/host/enter.ts";
import { nativePath } from "../../src/host/native.ts";
import { eventually, makeDir, mountTargets, noRoot, temporary } from "../support/enter.ts";

const skip = noRoot;

interface Staged {
  pid: number;
  part(...words: readonly string[]): void;
  raw(text: string): void;
  /** On its standard output, until now. */
  said(): string;
  /** No more parts. */
  close(): void;
  ended: Promise<{ status: number | null; output: string; errors: string }>;
}

function staged(t: TestContext, through: readonly string[] = [], options: readonly string[] = []): Staged {
  const [file = "", ...words] = [...through, nativePath("enter"), "launch", "--stages", "3", ...options];
  const child = spawn(file, words, { stdio: ["ignore", "pipe", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  const parts = child.stdio[3] as Writable;
  parts.on("error", () => {}); // it may end before it has read all
  let heard = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    heard += chunk.toString();
  });
  const read = async (stream: Readable | null): Promise<string> => {
    let text = "";
    for await (const chunk of stream ?? []) text += String(chunk);
    return text;
  };
  const [output, errors] = [read(child.stdout), read(child.stderr)];
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const raw = (text: string): void => {
    parts.write(text);
  };
  return {
    pid: child.pid ?? 0,
    part: (...list) => raw([String(list.length), ...list].map((word) => `${word}\0`).join("")),
    raw,
    said: () => heard,
    close: () => parts.destroy(),
    ended: (async () => ({ status: await exit, output: await output, errors: await errors }))(),
  };
}

function overlay(dir: string): { mounts: EnterMount[]; at: string; lower: string } {
  const [at, lower] = [makeDir(dir, "at"), makeDir(dir, "lower")];
  writeFileSync(join(lower, "file"), "from below\n");
  const upper = { dir: makeDir(dir, "upper"), work: makeDir(dir, "work") };
  return { mounts: [{ kind: "overlay", target: at, lowers: [lower], upper }], at, lower };
}

test("each part is carried out before the next is known", { skip }, async (t) => {
  const before = mountTargets();
  const { mounts, at } = overlay(temporary(t));
  const enter = staged(t);
  enter.part(...launchParts({ mounts }).mounts);
  const seen = `/proc/${enter.pid}`;
  await eventually("the overlay is there", () =>
    readFileSync(`${seen}/mountinfo`, "latin1").includes(` ${at} `),
  );
  assert.equal(readFileSync(`${seen}/comm`, "latin1"), "enter\n", "no command yet");
  assert.deepEqual(mountTargets(), before, "and nobody else sees it");
  enter.part(...launchParts({ network: "own" }).network);
  enter.part(
    "--null-stdin",
    "--",
    "/bin/sh",
    "-c",
    `cat ${at}/file; tail -n +3 /proc/net/dev | cut -d: -f1; ls /proc/self/fd | wc -l`,
  );
  const { status, output, errors } = await enter.ended;
  assert.equal(errors, "");
  // 0, 1, 2 and the directory that ls reads.
  assert.match(output, /^from below\n +lo\n4\n$/);
  assert.equal(status, 0);
});

test("directories below a base are found under whatever name it has by then", { skip }, async (t) => {
  const dir = temporary(t);
  const { at, lower } = overlay(dir);
  const base = makeDir(dir, "base");
  for (const name of ["upper", "work"]) makeDir(base, name);
  const enter = staged(t, [], ["--status-fd", "1", "--base", base]);
  await eventually("it is ready", () => enter.said().includes('"pid"'));
  renameSync(base, join(dir, "elsewhere"));
  const upper = { dir: "upper", work: "work" };
  const source = "tranship:of-this-test";
  enter.part(
    ...launchParts({ mounts: [{ kind: "overlay", target: at, lowers: [lower], upper, source }] }).mounts,
  );
  enter.part(
    "--",
    "/bin/sh",
    "-c",
    `echo mine >${at}/mine; grep -c ' tranship:of-this-test ' /proc/self/mountinfo >&2`,
  );
  const { status, errors } = await enter.ended;
  assert.equal(errors, "1\n");
  assert.equal(status, 0);
  assert.equal(readFileSync(join(dir, "elsewhere/upper/mine"), "latin1"), "mine\n");
  const without = staged(t, [], ["--base", join(dir, "base")]);
  assert.deepEqual(await without.ended, { status: 125, output: "", errors: "" });
});

test("an end before the command is nobody's fault, and said to nobody", { skip }, async (t) => {
  const { mounts } = overlay(temporary(t));
  const whole = launchParts({ mounts }).mounts;
  for (const begun of ["", "2", "2\0--network\0", "x"]) {
    for (const first of [[], whole]) {
      const enter = staged(t);
      if (first.length > 0) enter.part(...first);
      enter.raw(begun);
      enter.close();
      assert.deepEqual(await enter.ended, { status: 125, output: "", errors: "" }, JSON.stringify(begun));
    }
  }
});

test("what it cannot do before it was asked for is not told either", { skip }, async (t) => {
  const enter = staged(t, ["setpriv", "--reuid", "65534", "--clear-groups"]);
  assert.deepEqual(await enter.ended, { status: 125, output: "", errors: "" });
});

test("what is wrong with a part is told in words", { skip }, async (t) => {
  for (const [words, message] of [
    [["--no-such-option"], /unknown option: --no-such-option/],
    [["--lower", "/"], /--lower or --upper without an --overlay/],
    [["--lower", "/no/such/directory", "--overlay", "/mnt"], /cannot open directory \/no\/such\/directory/],
    [["--"], /no command after --/],
    [["--veth", "vt1", "no-such-bridge"], /no bridge no-such-bridge/],
    [["--", "/no/such/program"], /cannot execute \/no\/such\/program/],
  ] as const) {
    const enter = staged(t);
    enter.part(...words);
    const { status, errors } = await enter.ended;
    assert.match(errors, message);
    assert.equal(status, words.includes("/no/such/program" as never) ? 127 : 125);
  }
  const enter = staged(t);
  enter.raw("many\0");
  assert.deepEqual((await enter.ended).status, 125);
});

test("parts are of launch alone, and come without mounts or a command beside them", { skip }, async (t) => {
  for (const words of [
    ["sandbox", "--stages", "3"],
    ["launch", "--stages", "3", "--", "true"],
    ["launch", "--stages", "3", "--tmpfs", "/mnt", "755"],
  ]) {
    const child = spawn(nativePath("enter"), words, { stdio: ["ignore", "ignore", "pipe", "pipe"] });
    t.after(() => child.kill("SIGKILL"));
    let errors = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    assert.equal(await new Promise((resolve) => child.once("close", resolve)), 125);
    assert.match(errors, /--stages: only launch, without mounts or command/);
  }
});
