// Links that others swap while `tree` works never lead it out of its root.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as records from "../../src/formats/tree-records.ts";
import { entryFrame, fileFrames, finish, frame, openTree, unpack, ways } from "../support/tree.ts";
import { scene } from "../support/victim.ts";

/** Swaps of the soak, each way: half of them while requests are answered, half while a layer is unpacked. */
const wanted = process.env.TRANSHIP_SOAK === "1" ? 25_000 : 0;
const swapsOfRound = 20;

const whiteout = (path: string): Uint8Array => frame("whiteout", records.encodePath(path));

for (const [way, options] of ways) {
  const flags = options.noOpenat2 ? ["--no-openat2"] : [];
  test(`links swapped during requests never lead out (${way})`, async (t) => {
    const { root, victim } = scene(t);
    fs.mkdirSync(join(root, "real/sub"), { recursive: true });
    fs.writeFileSync(join(root, "real/file"), "inside");
    fs.writeFileSync(join(root, "real/sub/lower"), "inside");
    fs.symlinkSync(victim, join(root, "out"));
    const files = openTree(t, root, options);
    const at = join(root, "at");
    const asked: Promise<Uint8Array | undefined>[] = [];
    const told: unknown[] = [];
    let seen = 0;
    const rounds = Math.max(200, wanted / swapsOfRound);
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < 5; i++) {
        asked.push(files.read("/at/file"), files.read("/at/sub/../sub/lower"), files.read("/at/../at/file"));
      }
      const walk = (async () => {
        for await (const entry of files.walk("/at")) told.push("ino" in entry ? entry.ino : entry.error);
      })();
      for (let i = 0; i < 10; i++) {
        fs.renameSync(join(root, "real"), at);
        fs.renameSync(at, join(root, "real"));
        fs.renameSync(join(root, "out"), at);
        fs.renameSync(at, join(root, "out"));
      }
      fs.renameSync(join(root, "real"), at);
      await new Promise(setImmediate);
      fs.renameSync(at, join(root, "real"));
      await walk;
    }
    for (const bytes of await Promise.all(asked)) {
      if (bytes === undefined) continue;
      seen++;
      assert.equal(Buffer.from(bytes).toString(), "inside");
    }
    assert.ok(seen > 0, "some requests met the directory");
    for (const path of ["file", "sub", "sub/lower"]) {
      assert.ok(!told.includes(fs.statSync(join(victim, path), { bigint: true }).ino), path);
    }
    t.diagnostic(`${rounds * swapsOfRound} swaps`);
  });

  test(`links swapped during unpacking never lead out (${way})`, async (t) => {
    const { root, victim, state } = scene(t);
    const before = state();
    let swaps = 0;
    async function* frames(): AsyncGenerator<Uint8Array> {
      for (let round = 0; round < 300; round++) {
        yield Buffer.concat([
          entryFrame({ path: "/at", kind: "directory", mode: 0o755 }),
          ...fileFrames(`/at/new${round}`, "in"),
          whiteout("/at/sub"),
          ...fileFrames("/at/file", "in"),
        ]);
        for (let i = 0; i < 5; i++) {
          swap(join(root, "out"), join(root, "at"));
          swaps++;
          await new Promise(setImmediate);
        }
      }
      yield finish;
    }
    // It may end early: what it made has been replaced under its hands. What counts is the victim.
    let runs = 0;
    do {
      fs.rmSync(join(root, "at"), { recursive: true, force: true });
      fs.rmSync(join(root, "out"), { recursive: true, force: true });
      fs.symlinkSync(victim, join(root, "out"));
      const result = await unpack(root, frames(), flags);
      assert.ok(result.status === 0 || result.status === 1, result.stderr);
      assert.equal(state(), before);
      runs++;
    } while (swaps < wanted);
    t.diagnostic(`${swaps} swaps in ${runs} runs`);
  });
}

/** Exchanges two names where both are there. */
function swap(a: string, b: string): void {
  try {
    fs.renameSync(b, `${b}.aside`);
    fs.renameSync(a, b);
    fs.renameSync(b, a);
    fs.renameSync(`${b}.aside`, b);
  } catch (error) {
    // The unpacker made it anew meanwhile: the next round has it again.
    if (!(error instanceof Error && "code" in error)) throw error;
    fs.rmSync(`${b}.aside`, { recursive: true, force: true });
  }
}
