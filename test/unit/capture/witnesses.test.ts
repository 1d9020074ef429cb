import assert from "node:assert/strict";
import { test } from "node:test";
import { joinWitnesses } from "../../../src/capture/evidence/join-witnesses.ts";
import { Reducer } from "../../../src/capture/evidence/reduce.ts";
import { WitnessReducer } from "../../../src/capture/evidence/reduce-witness.ts";
import type { PathOperation, TracePath } from "../../../src/formats/trace-records.ts";
import type { WitnessSeen } from "../../../src/formats/witness-records.ts";
import { memoryFiles } from "../../support/memory-files.ts";

const ours = (program: string) => program.startsWith("/.tranship/");

function record(path: string, more: Partial<WitnessSeen> = {}): WitnessSeen {
  return {
    type: "seen", pid: 5, use: "open", directory: false, deleted: false, outside: false, gone: false, path, program: "/bin/app", ...more,
  }; // biome-ignore format: a table
}

function traced(operation: PathOperation, path: string, more: Partial<TracePath> = {}): TracePath {
  return {
    type: "path", pid: 5, operation, result: 0, path, second: "", noFollow: false, i386: false, existed: false, foreign: false,
    foretold: false, truncates: false, inherited: false, ...more,
  }; // biome-ignore format: a table
}

const nothing = { programOf: () => undefined, ownPaths: new Set<string>(), ownChildren: new Set<number>() };

function reduced(records: readonly WitnessSeen[], exercised: boolean, known: Record<number, string> = {}) {
  const reducer = new WitnessReducer(ours);
  for (const one of records) reducer.add(one);
  return reducer.finish(
    { programOf: (pid) => known[pid], ownPaths: new Set(["/etc/passwd"]), ownChildren: new Set([9]) },
    exercised,
  );
}

test("what is ours, the kernel's or of another process is no evidence", () => {
  const { paths } = reduced(
    [
      record("/etc/a"),
      record("/proc/1/stat"),
      record("/.tranship/run/log"),
      record("/etc/passwd", { program: "/.tranship/init" }),
      record("/bin/app", { program: "/.tranship/init", use: "exec" }),
      record("/etc/exercise", { outside: true }),
      record("/srv", { directory: true }),
      record("/var/x", { use: "written", deleted: true }),
    ],
    true,
  );
  assert.deepEqual(
    [...paths].map(([path, uses]) => [path, [...uses.keys()]]),
    [["/etc/a", ["read"]], ["/bin/app", ["exec"]], ["/srv", ["list"]], ["/var/x", ["write"]]],
  ); // biome-ignore format: a table
});

test("what init's child opened before it became the application is not the application's", () => {
  assert.deepEqual([...reduced([record("/etc/passwd", { pid: 9 })], false).paths.keys()], []);
  const both = [record("/etc/passwd", { pid: 9 }), record("/etc/passwd", { pid: 10, program: "/bin/id" })];
  assert.deepEqual([...reduced(both, false).paths.keys()], ["/etc/passwd"]);
});

test("a file without a name is nobody's path", () => {
  const files = [record("/tmp/#123", { deleted: true }), record("/tmp/#124")];
  assert.deepEqual([...reduced(files, false).paths.keys()], ["/tmp/#124"]);
});

test("of a process that had gone the tracer tells who it was", () => {
  const records = [
    record("/etc/mine", { gone: true, pid: 7, program: "" }),
    record("/etc/theirs", { gone: true, pid: 8, program: "" }),
  ];
  const exercised = reduced(records, true, { 7: "/bin/mine" });
  assert.deepEqual([...exercised.paths.keys()], ["/etc/mine"]);
  assert.deepEqual(exercised.paths.get("/etc/mine")?.get("read"), ["/bin/mine"]);
  assert.deepEqual([...reduced(records, false).paths.keys()], ["/etc/mine", "/etc/theirs"]);
});

test("an overflow and a mount that cannot be watched make the capture incomplete; no fanotify is only told", () => {
  const reducer = new WitnessReducer(ours);
  reducer.add({ type: "lost", reason: 1, text: "full" });
  reducer.add({ type: "mount", later: true, marked: false, errno: 13, target: "/mnt", fstype: "fuse" });
  reducer.add({ type: "mount", later: true, marked: false, errno: 2, target: "/gone", fstype: "tmpfs" });
  reducer.add({ type: "mount", later: false, marked: false, errno: 0, target: "/proc", fstype: "proc" });
  const { lost } = reducer.finish(nothing, false);
  assert.deepEqual(lost, [
    "the file witness: full",
    "the file witness: the mount at /mnt (fuse) cannot be watched: errno 13",
  ]);
  const without = new WitnessReducer(ours);
  without.add({ type: "lost", reason: 4, text: "not here" });
  const told = without.finish(nothing, false);
  assert.deepEqual([told.unavailable, told.lost], ["not here", []]);
});

test("both witnesses name a file in their own way: what remains is seen by one alone", async () => {
  const files = memoryFiles({
    "/usr/lib/libc.so": "x",
    "/usr/lib/ld-2.31.so": "x",
    "/lib": { link: "usr/lib" },
    "/etc/uring": "x",
    "/etc/looked": "x",
    "/etc/unseen": "x",
    "/etc/passwd": "x",
    "/var/log": { directory: true },
    "/var/run": { link: "../run" },
    "/run": { directory: true },
  });
  const reducer = new Reducer(ours);
  for (const one of [
    traced("read", "/lib/libc.so"),
    traced("stat", "/etc/looked"),
    traced("read", "/etc/unseen"),
    traced("read", "/dev/null"),
    traced("read", "/etc/absent", { result: -2 }),
    traced("read", "/etc/passwd"),
    traced("create", "/var/log/made"),
    traced("create", "/var/log/temporary"),
    traced("rename", "/var/log/temporary", { second: "/var/log/kept" }),
    traced("rename", "/var/run/x.tmp", { second: "/var/run/x.pid" }),
  ])
    reducer.add(one);
  const { evidence } = reducer;
  const witness = reduced(
    [
      record("/usr/lib/libc.so"),
      record("/usr/lib/ld-2.31.so", { use: "exec" }),
      record("/etc/uring", { program: "/bin/ring" }),
      record("/etc/looked"),
      record("/var/log/made"),
      record("/var/log/kept"),
      record("/run/x.pid", { use: "written" }),
      record("/etc/passwd"),
    ],
    false,
  );
  await joinWitnesses(evidence, witness, files);
  assert.deepEqual(evidence.agreement, {
    both: 3,
    tracerOnly: ["/etc/unseen"],
    witnessOnly: ["/etc/uring"],
  });
  const uring = evidence.paths.get("/etc/uring");
  assert.deepEqual(
    [uring?.traced, uring?.witnessed, uring?.found, uring?.uses.get("read")],
    [false, true, true, ["/bin/ring"]],
  );
  assert.equal(evidence.paths.get("/etc/passwd")?.traced, true);
  assert.equal(evidence.paths.get("/etc/looked")?.traced, true);
  assert.equal(evidence.paths.get("/var/run/x.pid")?.uses.has("write"), true, "under the tracer's name");
  assert.equal(evidence.paths.has("/run/x.pid"), false);
  assert.equal(evidence.paths.get("/usr/lib/ld-2.31.so")?.traced, true);
});
