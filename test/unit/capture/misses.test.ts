import assert from "node:assert/strict";
import { test } from "node:test";
import type { EvidenceDocument } from "../../../src/capture/evidence/evidence-document.ts";
import { LookupReducer } from "../../../src/capture/evidence/reduce-lookups.ts";
import { judgeLookups, toldMisses } from "../../../src/capture/misses/misses.ts";
import type { PathOperation, TracePath, TraceRecord } from "../../../src/formats/trace-records.ts";

function path(pid: number, operation: PathOperation, name: string, more: Partial<TracePath> = {}): TracePath {
  return {
    type: "path", pid, operation, result: -2, path: name, second: "", noFollow: false, i386: false, existed: false, foreign: true,
    foretold: false, truncates: false, inherited: false, ...more,
  }; // biome-ignore format: a table
}

const exec = (pid: number, name: string, result = 0): TraceRecord => ({
  type: "exec", pid, result, path: name, args: [], cwd: "/", executable: name,
}); // biome-ignore format: a table

function reduced(...records: TraceRecord[]): LookupReducer {
  const reducer = new LookupReducer();
  for (const record of records) reducer.add(record);
  return reducer;
}

const start: TraceRecord[] = [
  exec(1, "/usr/bin/crun"),
  path(1, "read", "/etc/crun.conf", { foreign: false }),
  { type: "fork", pid: 1, child: 2, kind: "clone" },
  path(2, "read", "/rootfs/of/the/runtime"),
  exec(2, "/.tranship/init"),
];

test("what the runtime looks for is left out, before init begins and beside it", () => {
  const reducer = reduced(
    ...start,
    path(2, "read", "/etc/app.conf"),
    path(1, "read", "/run/crun/state"),
    { type: "fork", pid: 1, child: 9, kind: "fork" },
    path(9, "read", "/run/crun/other"),
    path(2, "read", "/proc/2/none"),
    path(2, "read", "/there", { result: 3 }),
    path(2, "read", "/forbidden", { result: -13 }),
  );
  assert.deepEqual([...reducer.lookups.keys()], ["/etc/app.conf"]);
});

test("lookups belong to the program of their process; an open says more than a look", () => {
  const reducer = reduced(
    ...start,
    { type: "fork", pid: 2, child: 3, kind: "fork" },
    exec(3, "/usr/bin/none", -2),
    exec(3, "/usr/bin/app"),
    path(3, "stat", "/opt/plugin"),
    path(3, "read", "/opt/plugin"),
    path(3, "stat", "/opt/plugin"),
    path(3, "create", "/var/spool/app/file"),
  );
  assert.deepEqual(
    [...reducer.lookups.values()].map(({ path: name, use, by }) => `${use} ${name} ${by}`),
    [
      "exec /usr/bin/none /.tranship/init",
      "read /opt/plugin /usr/bin/app",
      "create /var/spool/app/file /usr/bin/app",
      "list /var/spool/app /usr/bin/app",
    ],
  );
});

test("the number of a helper of the runtime may be given to the application", () => {
  const reducer = reduced(
    { type: "fork", pid: 1, child: 7, kind: "fork" },
    path(7, "read", "/helper"),
    ...start,
    path(7, "read", "/helper/later"),
    { type: "exit", pid: 7, status: 0 },
    { type: "fork", pid: 2, child: 7, kind: "fork" },
    path(7, "read", "/etc/app.conf"),
  );
  assert.deepEqual([...reducer.lookups.keys()], ["/etc/app.conf"]);
});

test("another start begins with a runtime of its own; what was lost is a gap", () => {
  const reducer = reduced(...start, path(2, "read", "/a"));
  reducer.restart();
  for (const record of [...start, path(2, "read", "/b")]) reducer.add(record);
  assert.deepEqual([...reducer.lookups.keys()], ["/a", "/b"]);
  reducer.add({ type: "lost", pid: 2, reason: 7, text: "the record has reached its limit" });
  reducer.add({ type: "lost", pid: 2, reason: 1, text: "ptrace" });
  assert.deepEqual([...reducer.gaps], ["the record has reached its limit"]);
});

test("a flood of names is bounded", () => {
  const reducer = reduced(...start);
  for (let n = 0; n < 200_010; n++) reducer.add(path(2, "stat", `/none/${n}`));
  assert.equal(reducer.lookups.size, 200_000);
  assert.equal(reducer.gaps.size, 1);
});

test("lookups are judged by the lists of the package, under their names without links", async () => {
  const document = {
    paths: { "/usr/bin/app": [0], "/var/lib/state": [0] },
    excluded: { "/etc/app.key": "secret: private key" },
    candidates: { "/usr/lib/plugin.so": "never loaded" },
  } as unknown as EvidenceDocument;
  const lookup = (name: string, use: "stat" | "exec" = "stat") => ({ path: name, use, by: "/usr/bin/app" });
  const misses = await judgeLookups({
    lookups: [
      lookup("/nowhere"),
      lookup("/lib/plugin.so"),
      lookup("/etc/app.key"),
      lookup("/var/lib/state"),
      lookup("/usr/bin/app", "exec"),
      lookup("/toString"),
    ],
    evidence: document,
    machine: undefined,
    canonical: (name) => name.replace(/^\/lib\//, "/usr/lib/"),
  });
  assert.deepEqual(
    misses.map(({ path: name, state, why }) => `${name} ${state}: ${why}`),
    [
      "/etc/app.key left out: secret: private key",
      "/lib/plugin.so reachable: never loaded",
      "/usr/bin/app interpreter: packed, but not the interpreter or loader that it names",
      "/nowhere unknown: on no list of the package",
      "/toString unknown: on no list of the package",
    ],
  );
  assert.equal(toldMisses(misses).length, 3);
});
