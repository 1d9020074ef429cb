// State roots and the journal on real directories.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { TranshipError } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import { type HostChange, Journal, type Undo } from "../../src/host/journal.ts";
import { defaultStateRoot, openStateRoot } from "../../src/host/state-root.ts";

function scratch(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tranship-state-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function code(wanted: string): (error: TranshipError) => boolean {
  return (error) => error.code === wanted;
}

test("a directory with content of somebody else's is refused and left as it was", (t) => {
  const path = scratch(t);
  writeFileSync(join(path, "letters.txt"), "");
  assert.throws(() => openStateRoot(path), code("E_USAGE"));
  assert.deepEqual(readdirSync(path), ["letters.txt"]);
  assert.throws(() => openStateRoot(join(path, "letters.txt")), code("E_IO"));
});

test("what a killed first command left behind becomes a state root; lost directories are made again", (t) => {
  const path = scratch(t);
  mkdirSync(join(path, "store"));
  mkdirSync(join(path, "lost+found"));
  writeFileSync(join(path, ".4194305-0123456789ab.tmp"), "");
  const root = openStateRoot(path);
  rmSync(root.journal, { recursive: true });
  openStateRoot(path);
  assert.ok(readdirSync(path).includes("journal"));
});

test("a version that was lost, or damaged, is written anew where the rest of a state root is there", (t) => {
  const path = join(scratch(t), "root");
  openStateRoot(path);
  mkdirSync(join(path, "cache"));
  const file = join(path, "version.json");
  const text = readFileSync(file, "utf8");
  const damages = ["", "{", '{"version":"1"}', "null", "[]"].map((wrong) => () => writeFileSync(file, wrong));
  for (const damage of [() => rmSync(file), ...damages]) {
    damage();
    openStateRoot(path);
    assert.equal(readFileSync(file, "utf8"), text);
  }
});

test("a newer version, or none, is refused", (t) => {
  const path = scratch(t);
  writeFileSync(join(path, "version.json"), `{"tranship":"state","version":2}`);
  assert.throws(() => openStateRoot(path), code("E_STATE_VERSION"));
  writeFileSync(join(path, "version.json"), `{"version":"1"}`);
  assert.throws(() => openStateRoot(path), code("E_STATE_CORRUPT"));
  writeFileSync(join(path, "version.json"), "{");
  assert.throws(() => openStateRoot(path), code("E_STATE_CORRUPT"));
});

test("the default is TRANSHIP_ROOT, made absolute", () => {
  assert.equal(defaultStateRoot({ TRANSHIP_ROOT: "state" }), join(process.cwd(), "state"));
});

test("the journal undoes newest first; what fails or is no entry keeps nothing else in force", async (t) => {
  const path = scratch(t);
  const warnings: string[] = [];
  const log: Log = {
    debug: () => {},
    info: () => {},
    warn: (words) => warnings.push(words),
    error: () => {},
  };
  const journal = new Journal(path, log);
  for (const name of ["first", "stuck", "last"]) journal.record("gone", { kind: "bridge", name });
  journal.record("alive", { kind: "cgroup", name: "kept" });
  writeFileSync(join(path, "000-broken.json"), "{");
  writeFileSync(join(path, "000-list.json"), "[]");
  const undone: string[] = [];
  const act = async (change: HostChange): Promise<void> => {
    const name = "name" in change ? change.name : change.path;
    if (name === "stuck") throw new Error("busy");
    undone.push(name);
  };
  const undo: Undo = { bridge: act, cgroup: act, sysctl: act, "nft-table": act };
  assert.equal(await journal.undo((owner) => owner === "gone", undo), 2);
  assert.deepEqual(undone, ["last", "first"]);
  assert.deepEqual(
    journal.entries().map(({ entry }) => entry.change),
    [
      { kind: "bridge", name: "stuck" },
      { kind: "cgroup", name: "kept" },
    ],
  );
  for (const word of ["000-broken.json", "000-list.json", "busy"])
    assert.ok(
      warnings.some((line) => line.includes(word)),
      word,
    );
});

test("what is called at an end makes no state root where there is none any more", (t) => {
  const gone = join(scratch(t), "gone");
  const call = (...words: string[]): number | null =>
    spawnSync(process.execPath, [
      join(import.meta.dirname, "../../src/cli/main.ts"),
      "--root",
      gone,
      ...words,
    ]).status;
  const id = "0".repeat(64);
  assert.equal(call("internal", "foreground-ended", id, "3"), 3);
  assert.equal(call("internal", "instance-ended", id, "0"), 0);
  assert.equal(call("internal", "network-idle"), 0);
  assert.equal(existsSync(gone), false);
});
