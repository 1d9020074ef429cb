import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Spool } from "../../src/image/spool.ts";

test("what was put aside is read again, in any order, written or not yet", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "tranship-spool-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const spool = new Spool(directory);
  t.after(() => spool.close());
  assert.deepEqual(readdirSync(directory), [], "it has no name");
  const lengths = [1, 0, 70_000, 300_000, 52, ...Array.from({ length: 20_000 }, (_, i) => i % 97)];
  const pieces = lengths.map((length, i) => Buffer.alloc(length, i % 251));
  const places: number[] = [];
  for (const [i, piece] of pieces.entries()) {
    places.push(spool.append(piece));
    if (i % 1000 === 3) assert.deepEqual(spool.read(places[3] ?? 0, 300_000), pieces[3]);
  }
  for (const i of [...pieces.keys(), ...[...pieces.keys()].reverse(), 2, 19_999, 3, 0])
    assert.ok(
      spool.read(places[i] ?? -1, lengths[i] ?? 0).equals(pieces[i] ?? Buffer.alloc(1)),
      `piece ${i}`,
    );
});
