import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { byteStringOf, bytesOf } from "../../src/formats/byte-string.ts";
import { encodeText, escapeBytes, unescapeBytes } from "../../src/formats/escape.ts";

test("every byte string survives escaping and unescaping", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const value = byteStringOf(bytes);
      assert.equal(unescapeBytes(escapeBytes(value)), value);
      assert.deepEqual(bytesOf(value), bytes);
    }),
  );
});

test("names that people can read stay readable, others show their bytes", () => {
  assert.equal(escapeBytes(encodeText("/srv/Zoë")), "/srv/Zoë");
  assert.equal(escapeBytes("/a\xff"), "/a\\xff");
  assert.equal(escapeBytes("/a\nb"), "/a\\x0ab");
  assert.equal(escapeBytes("/a\\b"), "/a\\x5cb");
  assert.equal(escapeBytes(encodeText("/a\u202eb")), "/a\\xe2\\x80\\xaeb");
});
