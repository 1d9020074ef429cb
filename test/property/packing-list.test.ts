import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TranshipError } from "../../src/base/errors.ts";
import { toByteString } from "../../src/formats/fields.ts";
import {
  type PackedObject,
  type PackingList,
  parsePackingList,
  printPackingList,
} from "../../src/formats/packing-list.ts";

const bytes = fc.uint8Array({ minLength: 1, maxLength: 30 }).map(toByteString);
const path = bytes.map((text) => `/${text}`);
const digest = fc.stringMatching(/^[0-9a-f]{32}$/);
const id = fc.integer({ min: 0, max: 0xffffffff });
const size = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const common = {
  path,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: id,
  gid: id,
  mtime: fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }),
  xattrs: fc.array(fc.tuple(bytes, digest), { maxLength: 3 }),
};
const none = { size: 0, data: undefined, digest: "", target: "", rdevMajor: 0, rdevMinor: 0 };
const object: fc.Arbitrary<PackedObject> = fc.oneof(
  fc
    .record({ ...common, size, data: fc.option(size, { nil: undefined }), digest }, { noNullPrototype: true })
    .map((one) => ({ ...none, ...one, kind: "file" as const })),
  fc
    .record({ ...common, target: bytes })
    .map((one) => ({ ...none, ...one, kind: "symlink" as const })),
  fc
    .record({ ...common, rdevMajor: id, rdevMinor: id })
    .map((one) => ({ ...none, ...one, kind: "character" as const })),
  fc.record({ ...common, kind: fc.constantFrom("directory" as const, "fifo" as const, "socket" as const) }).map((one) => ({ ...none, ...one })),
); // biome-ignore format: short
const list: fc.Arbitrary<PackingList> = fc
  .uniqueArray(fc.oneof(object, path, fc.record({ path, hardlinkTo: path }, { noNullPrototype: true })), {
    selector: (one) => (typeof one === "string" ? one : one.path),
    maxLength: 8,
  })
  .map((parts) => {
    const sorted = [...parts].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    return {
      objects: sorted.filter((one): one is PackedObject => typeof one === "object" && "kind" in one),
      names: sorted.filter(
        (one): one is PackingList["names"][0] => typeof one === "object" && "hardlinkTo" in one,
      ),
      absent: sorted.filter((one) => typeof one === "string"),
    };
  });

function keyOf(one: string | { path: string }): string {
  return typeof one === "string" ? one : one.path;
}

test("a packing list is read as it was printed", () => {
  fc.assert(fc.property(list, (one) => assert.deepEqual(parsePackingList(printPackingList(one)), one)));
});

test("any text is a packing list or a clear error", () => {
  const line = fc
    .array(fc.oneof(fc.constantFrom("f", "d", "x", "-", "h", "0644", "0", "/a", "-1"), fc.string()), {
      maxLength: 10,
    })
    .map((fields) => fields.join("\t"));
  const text = fc
    .array(line, { maxLength: 6 })
    .map((lines) => ["tranship-packing-list 1", ...lines, ""].join("\n"));
  fc.assert(
    fc.property(fc.oneof(text, fc.string()), (one) => {
      try {
        parsePackingList(one);
      } catch (error) {
        assert.ok(error instanceof TranshipError && error.code === "E_PROTOCOL", String(error));
      }
    }),
  );
});
