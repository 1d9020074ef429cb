// The HMAC that signatures of calls are made with, against node:crypto's own.
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";
import { HmacKey } from "../../src/cluster/api/hmac.ts";

test("an HMAC is as node:crypto makes it, for keys and texts of every length around a block", () => {
  for (const keyLength of [0, 1, 31, 32, 63, 64, 65, 127, 200]) {
    const key = randomBytes(keyLength);
    const own = new HmacKey(key);
    for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000]) {
      const text = "é".repeat(length >> 1) + "x".repeat(length & 1);
      const wanted = createHmac("sha256", key).update(text).digest();
      assert.deepEqual(own.sign(text), wanted, `key of ${keyLength} bytes, text of ${length}`);
      // A key stays good.
      assert.deepEqual(own.sign(text), wanted);
    }
  }
});
