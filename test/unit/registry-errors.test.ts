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

test("a registry that wants a certificate of the client is told as that", () => {
  const url = new URL("https://registry.example:5000/v2/");
  const of = (code: string, message = "failed") =>
    connectionError(url, Object.assign(new Error(message), { code }));
  const said = of("ERR_SSL_TLSV1_ALERT_CERTIFICATE_REQUIRED", "alert certificate required");
  assert.equal(said.message, "cannot reach registry.example:5000: alert certificate required");
  assert.match(String(said.hint), /certificate of the client, put NAME\.cert and NAME\.key/);
  assert.match(
    String(of("UND_ERR_SOCKET", "other side closed").hint),
    /check the name.*certificate of the client/,
  );
  assert.match(of("ERR_SSL_WRONG_VERSION_NUMBER").message, /does not answer in TLS/);
});
