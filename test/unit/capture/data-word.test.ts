// The word of --data and what it stands for.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TranshipError } from "../../../src/base/errors.ts";
import { parseDataWord, snapshotsOf } from "../../../src/capture/data/data-word.ts";

const places = (data: string, directories: readonly string[]) =>
  snapshotsOf(parseDataWord(data), directories, "nowhere").map((one) => `${one.path}=${one.directory}`);
const refused = (data: string, directories: readonly string[], message: RegExp, hint: RegExp) =>
  assert.throws(
    () => places(data, directories),
    (error: TranshipError) => {
      assert.equal(error.code, "E_USAGE");
      assert.match(error.message, message);
      assert.match(error.hint ?? "", hint);
      return true;
    },
  );

test("a snapshot stands for the one data directory, or for the one that is named", () => {
  assert.deepEqual(places("copy", ["/a"]), []);
  assert.deepEqual(places("empty", ["/a"]), []);
  assert.deepEqual(places("snapshot:/snap", ["/a"]), ["/a=/snap"]);
  assert.deepEqual(places("snapshot:/snap=1", ["/a"]), ["/a=/snap=1"]);
  assert.deepEqual(places("snapshot:/b=/snap/b", ["/a", "/b"]), ["/b=/snap/b"]);
  assert.deepEqual(places("snapshot:/b/=/snap/b,/a=/snap/a,x", ["/a", "/b"]), ["/b=/snap/b", "/a=/snap/a,x"]);
});

test("what cannot be told is refused with what to write", () => {
  refused("all", ["/a"], /neither copy, empty nor/, /snapshot:PATH=DIR/);
  refused("snapshot:", ["/a"], /neither/, /PATH=DIR/);
  refused(
    "snapshot:/snap",
    ["/a", "/b"],
    /exactly one data directory, found 2: \/a, \/b/,
    /--data snapshot:\/b=DIR/,
  );
  refused("snapshot:/snap", [], /found 0: none/, /nowhere/);
  refused("snapshot:/c=/snap", ["/a", "/b"], /\/c is no data directory/, /there are: \/a, \/b/);
});
