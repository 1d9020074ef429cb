import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { readSqliteTable, type SqliteFiles, type SqliteRow } from "../../../src/formats/sqlite.ts";
import { inMemory } from "../../support/rpm.ts";

function database(t: TestContext, ...statements: string[]): { file: string; db: DatabaseSync } {
  const directory = mkdtempSync(join(tmpdir(), "tranship-sqlite-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "db");
  const db = new DatabaseSync(file);
  t.after(() => db.isOpen && db.close());
  for (const statement of statements) db.exec(statement);
  return { file, db };
}

async function rows(files: SqliteFiles): Promise<SqliteRow[]> {
  const found: SqliteRow[] = [];
  for await (const row of readSqliteTable(files, "t", { maxRow: 1 << 20 })) found.push(row);
  return found;
}

const files = (file: string): SqliteFiles => ({
  main: inMemory(readFileSync(file)),
  log: inMemory(readFileSync(`${file}-wal`)),
});

for (const page of [512, 4096, 65_536]) {
  test(`rows of a table with pages of ${page} bytes are those that SQLite gives`, async (t) => {
    const { file, db } = database(
      t,
      `PRAGMA page_size = ${page}`,
      "CREATE TABLE other (a)",
      "CREATE TABLE t (id INTEGER PRIMARY KEY, n, x, b BLOB)",
    );
    const insert = db.prepare("INSERT INTO t VALUES (?, ?, ?, ?)");
    db.exec("BEGIN");
    for (let i = 1; i <= 900; i++) {
      const number =
        [0, 1, -1, 127, -32_768, 8_388_607, -2_147_483_648, 2 ** 45, -(2 ** 50), 0.5][i % 10] ?? 0;
      insert.run(
        i * 3,
        number,
        i % 7 === 0 ? null : `caf\u00e9 ${i}`,
        Buffer.alloc(i % 50 === 0 ? i * 97 : i % 60, i),
      );
    }
    db.exec("COMMIT; DELETE FROM t WHERE id % 5 = 0");
    const want = db.prepare("SELECT * FROM t ORDER BY id").all();
    db.close();
    const found = await rows({ main: inMemory(readFileSync(file)) });
    assert.equal(found.length, want.length);
    for (const [i, row] of found.entries()) {
      assert.ok("values" in row);
      const text = want[i]?.x === null ? null : Buffer.from(String(want[i]?.x)).toString("latin1");
      assert.deepEqual([row.id, row.values[1], row.values[2]], [want[i]?.id, want[i]?.n, text]);
      assert.ok(Buffer.from(row.values[3] as Uint8Array).equals(want[i]?.b as Uint8Array));
    }
  });
}

test("what stands in the write-ahead log alone counts, what was not committed does not", async (t) => {
  const { file, db } = database(
    t,
    "PRAGMA journal_mode = WAL",
    "PRAGMA wal_autocheckpoint = 0",
    "CREATE TABLE t (a)",
    "INSERT INTO t VALUES ('one')",
  );
  db.exec("PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES ('two')");
  const values = (found: SqliteRow[]) => found.map((row) => ("values" in row ? row.values[0] : row.problem));
  assert.deepEqual(values(await rows(files(file))), ["one", "two"]);
  assert.deepEqual(values(await rows({ main: inMemory(readFileSync(file)) })), ["one"]);
  // A transaction so large that its pages are in the log before it ends.
  db.exec("PRAGMA cache_size = 1; BEGIN");
  for (let i = 0; i < 200; i++) db.exec("INSERT INTO t VALUES (hex(randomblob(2000)))");
  assert.ok(readFileSync(`${file}-wal`).length > 100_000);
  assert.deepEqual(values(await rows(files(file))), ["one", "two"]);
  db.exec("COMMIT");
  assert.equal((await rows(files(file))).length, 202);
});

test("a log that breaks off or is damaged counts up to its last whole transaction", async (t) => {
  const { file, db } = database(
    t,
    "PRAGMA journal_mode = WAL",
    "PRAGMA wal_autocheckpoint = 0",
    "CREATE TABLE t (a)",
  );
  for (let i = 0; i < 10; i++) db.exec(`INSERT INTO t VALUES (${i})`);
  const main = inMemory(readFileSync(file));
  const log = readFileSync(`${file}-wal`);
  const cut = await rows({ main, log: inMemory(log.subarray(0, log.length - 10)) });
  assert.equal(cut.length, 9);
  const damaged = Buffer.from(log);
  damaged[log.length - 5000] = (damaged[log.length - 5000] ?? 0) ^ 1;
  assert.ok((await rows({ main, log: inMemory(damaged) })).length < 10);
  assert.match(
    JSON.stringify(await rows({ main, log: inMemory(Buffer.alloc(100, "x")) })),
    /not one of this database/,
  );
});

test("loops, absent tables and pages that are not there are told", async (t) => {
  const { file, db } = database(t, "PRAGMA page_size = 512", "CREATE TABLE t (a)");
  db.exec("BEGIN");
  for (let i = 0; i < 200; i++) db.exec(`INSERT INTO t VALUES ('${"x".repeat(60)}')`);
  db.exec("COMMIT");
  db.close();
  const good = readFileSync(file);
  const inner = [...Array(good.length / 512).keys()].find((page) => page > 0 && good[page * 512] === 5) ?? 0;
  const bad = Buffer.from(good);
  bad.writeUInt32BE(inner + 1, inner * 512 + 8);
  assert.match(JSON.stringify(await rows({ main: inMemory(bad) })), /is in two places/);
  bad.writeUInt32BE(1 << 30, inner * 512 + 8);
  assert.match(JSON.stringify(await rows({ main: inMemory(bad) })), /page 1073741824 of/);
  assert.match(JSON.stringify(await rows({ main: inMemory(good.subarray(0, 512)) })), /of 1"/);
  const found: SqliteRow[] = [];
  for await (const row of readSqliteTable({ main: inMemory(good) }, "no", { maxRow: 100 })) found.push(row);
  assert.deepEqual(found, [{ problem: "there is no table no" }]);
});
