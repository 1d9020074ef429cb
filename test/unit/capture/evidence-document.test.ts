import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../../src/base/errors.ts";
import { readEvidenceDocument, whyOf } from "../../../src/capture/evidence/evidence-document.ts";

function documentOf(version: unknown, more: object = {}): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify({
      schema: "tranship/evidence", version, tool: "tranship", machine: "rootfs:/old", captured: "2026-01-01", exercised: [], programs: [],
      reasons: ["traced: read by /bin/a", "traced: read by /bin/b, seen by the file witness only"], paths: { "/a": [0], "/b": [1] }, excluded: {},
      candidates: {}, missing: {}, ...more,
    }),
  ); // biome-ignore format: a table
}

test("evidence of version 1, without witnesses, and of version 2 is read; a newer one is refused clearly", () => {
  const old = readEvidenceDocument(documentOf(1), "shop");
  assert.deepEqual([old.witnesses, whyOf(old, "/a").because], [undefined, ["traced: read by /bin/a"]]);
  const told = { both: 1, tracerOnly: [], witnessOnly: ["/b"] };
  const now = readEvidenceDocument(documentOf(2, { witnesses: told }), "shop");
  assert.deepEqual(now.witnesses, told);
  assert.match(whyOf(now, "/b").because.join(), /seen by the file witness only/);
  for (const version of [3, "2", undefined])
    assert.throws(
      () => readEvidenceDocument(documentOf(version), "shop"),
      (error) => isTranshipError(error, "E_IMAGE_UNSUPPORTED") && /shop/.test(error.message),
    );
});
