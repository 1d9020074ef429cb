// What a running program needs for its start, which nobody saw: directories of its users, mail servers that go into the background.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ownedDirectories } from "../../src/capture/seeds/owned-directories.ts";
import { loadInstalled } from "../../src/closure/installed.ts";
import { foregroundOf } from "../../src/discover/recipe-hints.ts";
import { Source } from "../../src/discover/source.ts";
import { fullDescriptor } from "../support/init-descriptor.ts";
import { memoryMachine } from "../support/memory-machine.ts";

const descriptor = { ...fullDescriptor, programs: [] };
const machine = memoryMachine({
  "/etc/passwd": [
    "root:x:0:0::/:/bin/sh",
    "mail:x:8:8::/var/mail:",
    "post:x:101:101::/var/spool/post:",
    "other:x:102:102::/:",
    "",
  ].join("\n"),
  "/var/log/post": { kind: "directory", uid: 101 },
  "/var/log/other": { kind: "directory", uid: 102 },
  "/var/spool/letters": { kind: "directory", uid: 8 },
  "/var/lib/post": { kind: "directory", uid: 101 },
  "/var/lib/post/list": "kept",
});

test("directories of the users that run the application come along, those of others do not", async () => {
  const found = async (...running: number[]): Promise<string[]> => {
    const installed = await loadInstalled(machine.files);
    const who = { names: [], users: new Set<string>(), running: new Set(running) };
    const seeds = await ownedDirectories(machine, descriptor, installed, who);
    return seeds.map((seed) => seed.path).sort();
  };
  assert.deepEqual(await found(101), ["/var/lib/post", "/var/lib/post/list", "/var/log/post"]);
  assert.deepEqual(await found(0), [], "root's are the whole machine");
  assert.deepEqual(await found(8), [], "of a user of every machine nothing follows");
});

test("a mail server that was told to go into the background is kept in the foreground", async () => {
  const words = async (exact: boolean, ...argv: string[]): Promise<string[] | undefined> =>
    (await foregroundOf(new Source(machine.files), { argv, instance: "", exact }))?.argv;
  assert.deepEqual(await words(true, "/usr/sbin/exim4", "-bd", "-q30m"), [
    "/usr/sbin/exim4",
    "-bdf",
    "-q30m",
  ]);
  assert.deepEqual(await words(true, "/usr/sbin/sendmail", "-bd"), ["/usr/sbin/sendmail", "-bD"]);
  assert.equal(await words(true, "/usr/sbin/exim4", "-q"), undefined, "one run of the queue ends by itself");
  assert.equal(await words(false, "/usr/sbin/exim4"), undefined, "a script makes its configuration first");
});
