// Signatures that come twice: calls sent again by somebody else, and equal calls of a program that does not number them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ReplayGuard, signedHeaders, type Taken, verifySignature } from "../../src/cluster/api/sigv4.ts";

const taken = (more: Partial<Taken>): Taken => ({
  signature: "ab".repeat(32),
  numbered: false,
  reads: true,
  ...more,
});

/** The error of the second of two calls with one signature, so many milliseconds later; "" where it is taken. */
function second(call: Taken, later: number): string {
  const guard = new ReplayGuard();
  guard.take(call, 1_000_000);
  try {
    guard.take(call, 1_000_000 + later);
    return "";
  } catch (error) {
    return (error as { type?: string }).type ?? String(error);
  }
}

test("equal questions of the command line in one second are answered, later ones are not", () => {
  assert.equal(second(taken({}), 0), "");
  assert.equal(second(taken({}), 1_999), "");
  for (const later of [2_001, 60_000, 599_000])
    assert.equal(second(taken({}), later), "InvalidSignatureException", String(later));
});

test("equal calls that change something are refused, so that clients sign them anew", () => {
  assert.equal(second(taken({ reads: false }), 500), "ThrottlingException");
  assert.equal(second(taken({ reads: false }), 5_000), "InvalidSignatureException");
});

test("numbered calls are taken once", () => {
  for (const reads of [true, false])
    assert.equal(second(taken({ numbered: true, reads }), 0), "InvalidSignatureException");
});

test("what is read is told by the operation, a number by what is signed", () => {
  const key = { accessKeyId: "AKIAONE", secretAccessKey: "secret" };
  const now = Date.parse("2026-11-30T12:00:00Z");
  const seen = (target: string): Taken => {
    const url = new URL("http://host/");
    const headers = signedHeaders({ url, target, body: "{}" }, key, "r", now);
    return verifySignature(
      { method: "POST", url: "/", headers, body: Buffer.from("{}") },
      () => "secret",
      now,
    );
  };
  const prefix = "AmazonEC2ContainerServiceV20141113";
  for (const [operation, reads] of [
    ["DescribeTasks", true],
    ["ListClusters", true],
    ["GetTaskProtection", true],
    ["RunTask", false],
    ["DeleteCluster", false],
  ] as const) {
    assert.equal(seen(`${prefix}.${operation}`).reads, reads, operation);
    assert.equal(seen(`${prefix}.${operation}`).numbered, true);
  }
});
