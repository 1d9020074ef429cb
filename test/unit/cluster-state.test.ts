// The state of the control plane on its disk: what an older schema had, and in which order documents come back.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { State } from "../../src/cluster/state/state.ts";

function withFile(use: (file: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "tranship-state-"));
  try {
    use(join(directory, "state.db"));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const cluster = (name: string, status = "ACTIVE") => ({
  name,
  wire: { clusterName: name, clusterArn: `arn:${name}`, status },
});

test("documents come back as they were last, in the order in which they came first", () => {
  withFile((file) => {
    const state = new State(file);
    for (const name of ["one", "two", "three"]) state.cluster.put(cluster(name));
    state.setting.put({ key: "*/a", principal: "*", name: "a", value: "b" });
    state.commit();
    state.cluster.put(cluster("one", "INACTIVE"));
    // Gone and there again before anything was written: a new one, behind the others.
    state.cluster.delete("two");
    state.cluster.put(cluster("two"));
    // Never written at all.
    state.cluster.put(cluster("four"));
    state.cluster.delete("four");
    const numbers = ["one", "three", "two"].map((name) => state.cluster.numberOf(name));
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    state.commit();
    state.close();
    const again = new State(file);
    assert.deepEqual(
      [...again.cluster.all()],
      [cluster("one", "INACTIVE"), cluster("three"), cluster("two")],
    );
    assert.deepEqual(
      ["one", "three", "two"].map((name) => again.cluster.numberOf(name)),
      numbers,
    );
    again.cluster.put(cluster("five"));
    assert.ok(again.cluster.numberOf("five") > Math.max(...numbers));
    again.close();
  });
});

test("a state of the first schema is taken over, and one of a later tool refused", () => {
  withFile((file) => {
    const old = new DatabaseSync(file);
    old.exec(
      `CREATE TABLE documents (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (kind, key));
       PRAGMA user_version = 1`,
    );
    const insert = old.prepare("INSERT INTO documents (number, kind, key, body) VALUES (?, 'cluster', ?, ?)");
    for (const [index, name] of ["b", "a"].entries())
      insert.run(index * 7 + 3, name, JSON.stringify(cluster(name)));
    old.close();
    const state = new State(file);
    assert.deepEqual([...state.cluster.all()], [cluster("b"), cluster("a")]);
    assert.equal(state.cluster.numberOf("a"), 10);
    state.cluster.delete("b");
    state.cluster.put(cluster("c"));
    state.commit();
    state.close();
    const again = new State(file);
    assert.deepEqual([...again.cluster.keys()], ["a", "c"]);
    again.close();
    const later = new DatabaseSync(file);
    later.exec("PRAGMA user_version = 99");
    later.close();
    assert.throws(() => new State(file), { code: "E_STATE_VERSION" });
  });
});
