import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ProcessFact } from "../../src/discover/inventory.ts";
import { outermost, programTree } from "../../src/discover/program-tree.ts";
import {
  descriptorKind,
  parseBootTime,
  parseDescriptorInfo,
  parseFileMappings,
  parseLimits,
  parseProcessRights,
  splitDeleted,
  startedAt,
} from "../../src/formats/proc-process.ts";

test("mappings: the first range of each path and inode, without padding; deleted ones", () => {
  const maps = parseFileMappings(
    "00400000-0040b000 r--p 00000000 fd:00 17   /bin/a\n0040b000-0040c000 r-xp 0000b000 fd:00 17   /bin/a\n" +
      "7f0000000000-7f0000001000 r-xp 00000000 fd:00 9 /lib/b\\040c.so (deleted)\n7f0000002000-7f0000003000 rw-p 0 00:00 0 \n" +
      "7ffc00000000-7ffc00001000 rw-p 00000000 00:00 0 [stack]\n",
  );
  assert.deepEqual(maps, [
    { path: "/bin/a", executable: true, deleted: false, range: "400000-40b000", inode: "17" },
    { path: "/lib/b c.so", executable: true, deleted: true, range: "7f0000000000-7f0000001000", inode: "9" },
  ]);
  assert.deepEqual(splitDeleted("socket:[1] (deleted)"), { path: "socket:[1] (deleted)", deleted: false });
});

test("descriptors: position, access, kinds", () => {
  assert.deepEqual(parseDescriptorInfo("pos:\t12\nflags:\t02102002\nmnt_id:\t1\n"), {
    position: "12",
    reads: true,
    writes: true,
    append: true,
    closeOnExec: true,
  });
  assert.equal(parseDescriptorInfo("pos: x"), undefined);
  const kinds = [
    "/a",
    "socket:[1]",
    "pipe:[2]",
    "anon_inode:[eventfd]",
    "anon_inode:inotify",
    "anon_inode:[io_uring]",
  ];
  assert.deepEqual(kinds.map(descriptorKind), ["file", "socket", "pipe", "event", "inotify", "other"]);
});

test("rights, limits, start", () => {
  const rights = parseProcessRights(
    "Umask:\t0027\nTracerPid:\t0\nCapEff:\t0000000000000400\nNoNewPrivs:\t1\n",
  );
  assert.deepEqual([rights.umask, rights.tracer, rights.noNewPrivileges], [0o27, 0, true]);
  assert.equal(parseProcessRights("").umask, undefined);
  const limits =
    "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 unlimited            files     \n";
  assert.deepEqual(parseLimits(limits), [{ name: "Max open files", soft: "1024", hard: "unlimited" }]);
  assert.equal(startedAt(parseBootTime("cpu 1\nbtime 1700000000\n") ?? 0, "250"), 1_700_000_002_500);
});

test("parsers of /proc end on any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      parseFileMappings(text);
      parseDescriptorInfo(text);
      parseProcessRights(text);
      parseLimits(text);
      parseBootTime(text);
      descriptorKind(text);
    }),
  );
});

const process = (
  pid: number,
  ppid: number,
  executable: string,
  more: Partial<ProcessFact> = {},
): ProcessFact => ({ pid, ppid, executable, arguments: [executable], service: "", ...more }) as ProcessFact;

test("a program is its master and all below it, from any of its processes; a shell above is none of it", () => {
  const processes = [
    process(1, 0, "/sbin/init"),
    process(10, 1, "/bin/bash"),
    process(20, 10, "/usr/sbin/nginx"),
    process(21, 20, "/usr/sbin/nginx"),
    process(22, 20, "/usr/sbin/nginx"),
    process(23, 22, "/usr/bin/logger"),
    process(30, 10, "/usr/bin/node"),
  ];
  const tree = (seed: number) => programTree(seed, { processes, listening: new Map(), own: new Set([30]) });
  assert.deepEqual(tree(22), { main: 20, members: [20, 21, 22, 23] });
  assert.deepEqual(tree(10), { main: 10, members: [10, 20, 21, 22, 23] }, "our own process is left out");
});

test("scripts of one interpreter are one program only with the same arguments", () => {
  const run = (pid: number, ppid: number, script: string) =>
    process(pid, ppid, "/usr/bin/python3", { arguments: ["python3", script] });
  const processes = [run(5, 1, "/srv/a.py"), run(6, 5, "/srv/a.py"), run(7, 5, "/srv/b.py")];
  const main = (seed: number) =>
    programTree(seed, { processes, listening: new Map(), own: new Set<number>() }).main;
  assert.deepEqual([main(6), main(7)], [5, 7]);
});

test("a worker with a title belongs to its master; what a supervisor opened its socket for, to the supervisor", () => {
  const run = (pid: number, ppid: number, ...words: string[]) =>
    process(pid, ppid, "/usr/bin/ruby2.7", { arguments: words });
  const processes = [
    run(5, 1, "puma 5.6 (tcp://0.0.0.0:3000) [shop]"),
    run(6, 5, "puma: cluster worker 0: 5 [shop]"),
    run(7, 5, "/usr/bin/ruby2.7", "/srv/other.rb"),
    process(8, 1, "/usr/bin/super"),
    process(9, 8, "/opt/server"),
    process(10, 1, "/opt/server"),
  ];
  const listening = new Map([
    ["98", [5, 6, 7]],
    ["99", [8, 9]],
  ]);
  const tree = (seed: number) => programTree(seed, { processes, listening, own: new Set<number>() });
  assert.deepEqual(
    [6, 7, 9].map((seed) => tree(seed).main),
    [5, 7, 9],
  );
  const trees = (...seeds: number[]) => new Map(seeds.map((seed) => [tree(seed).main, tree(seed).members]));
  assert.deepEqual(tree(7).members, [7], "its parent is no part of it, although the socket is the same");
  assert.deepEqual(outermost(trees(8, 9), processes), [[8, [8, 9]]]);
  assert.deepEqual(
    outermost(trees(8, 9, 10), processes).map(([main]) => main),
    [8, 10],
  );
});

test("a service's processes and workers whose master has gone belong together", () => {
  const unit = { service: "shop" };
  const processes = [
    process(5, 1, "/opt/a", unit),
    process(6, 1, "/opt/helper", unit),
    process(7, 1, "/opt/w"),
    process(8, 1, "/opt/w"),
  ];
  const listening = new Map([["99", [7, 8, 1]]]);
  const members = (seed: number) =>
    programTree(seed, { processes, listening, own: new Set<number>() }).members;
  assert.deepEqual(members(6), [6, 5]);
  assert.deepEqual(members(7), [7, 8]);
});
