import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionError } from "../../src/image/registry/registry-errors.ts";

test("a certificate that nobody vouches for is told without words about Node's command line", () => {
  const said =
    "self-signed certificate; if the root CA is installed locally, try running Node.js with --use-system-ca";
  const cause = Object.assign(new Error(said), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  const { message, hint } = connectionError(new URL("https://registry.example:5000/v2/"), cause);
  assert.equal(message, "cannot reach registry.example:5000: self-signed certificate");
  assert.match(String(hint), /certs\.d.*--cert-dir/);
});
