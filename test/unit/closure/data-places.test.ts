import assert from "node:assert/strict";
import { test } from "node:test";
import { followData } from "../../../src/closure/data-places.ts";
import { machineTree } from "../../../src/closure/tree.ts";
import type { ByteString } from "../../../src/formats/entry.ts";
import { isUnreadable } from "../../../src/machine/machine.ts";
import { type MadeUpTree, memoryMachine } from "../../support/memory-machine.ts";

/** What links below /var/lib/pg lead to; `targets`: each the target of one. */
async function placesOf(targets: readonly ByteString[]) {
  const objects: MadeUpTree = { "/var/lib/pg": { kind: "directory" } };
  for (const [at, target] of targets.entries()) {
    objects[target] = { kind: "directory" };
    objects[`/var/lib/pg/${at}`] = { kind: "symlink", target };
  }
  const { files } = memoryMachine(objects);
  return await followData(["/var/lib/pg"], machineTree(files), async function* (directory) {
    for await (const entry of files.walk(directory)) if (!isUnreadable(entry)) yield entry;
  });
}

test("links lead to data, not to programs, homes of many or the same twice", async () => {
  const places = await placesOf(["/srv/space", "/usr/lib/pg", "/srv", "/srv/space/inner", "/var/log/pg"]);
  assert.deepEqual(
    places.map(({ path }) => path),
    ["/var/lib/pg", "/srv/space"],
  );
});

test("no number of links makes as many volumes", async () => {
  const many = Array.from({ length: 1000 }, (_, at) => `/mnt/disk/${at}`);
  assert.equal((await placesOf(many.slice(1))).length, 1000);
  await assert.rejects(placesOf(many), { code: "E_LIMIT" });
});
