import assert from "node:assert/strict";
import { test } from "node:test";
import { matchPaths } from "../../../src/closure/glob.ts";
import { machineTree } from "../../../src/closure/tree.ts";
import { memoryFiles } from "../../support/memory-files.ts";

test("names that are found are no patterns themselves", async () => {
  const tree = machineTree(
    memoryFiles({
      "/srv/pages/[id].js": "",
      "/srv/pages/i.js": "",
      "/srv/pages/a[b": "",
      "/srv/[lang]/one/x.js": "",
      "/srv/l/one/x.js": "",
      "/srv/*/y.js": "",
    }),
  );
  const of = async (pattern: string) => (await matchPaths(tree, pattern)).sort();
  assert.deepEqual(await of("/srv/pages/*.js"), ["/srv/pages/[id].js", "/srv/pages/i.js"]);
  assert.deepEqual(await of("/srv/pages/a*"), ["/srv/pages/a[b"]);
  assert.deepEqual(await of("/srv/*/one/*.js"), ["/srv/[lang]/one/x.js", "/srv/l/one/x.js"]);
  assert.deepEqual(await of("/srv/[l*/one/x.js"), ["/srv/[lang]/one/x.js"]);
  assert.deepEqual(await of("/*/*/y.js"), ["/srv/*/y.js"]);
  assert.deepEqual(await of("/srv/pages/i.js"), ["/srv/pages/i.js"]);
  assert.deepEqual(await of("/srv/pages/none"), []);
  assert.deepEqual(await of("/"), ["/"]);
});
