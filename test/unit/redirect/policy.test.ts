import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../../src/base/errors.ts";
import { type Descriptor, newDescriptor } from "../../../src/package/descriptor.ts";
import { clockRule } from "../../../src/redirect/clock.ts";
import { networkRule } from "../../../src/redirect/endpoints.ts";
import { compilePolicy } from "../../../src/redirect/policy.ts";
import { decodePolicy, encodePolicy } from "../../../src/redirect/policy-codec.ts";
import { ruleFor } from "../../../src/redirect/rules.ts";

const origin = { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" };
const plain: Descriptor = newDescriptor({ id: "a", name: "a", version: "1", publisher: "" }, origin);
const files = (from: string): Descriptor["redirections"] => ({
  files: [{ from, to: "/srv", match: "folder", mode: "full" }],
  network: [],
  registry: [],
});

test("clocks are read, and what is none is refused with the value", () => {
  const second = 1_000_000_000n;
  assert.equal(clockRule(null), undefined);
  assert.equal(clockRule({ offset: "0s" }), undefined);
  assert.deepEqual(clockRule({ offset: "-3650d" }), {
    ...{ mode: "offset", nanoseconds: -3650n * 86_400n * second, rate: 1n << 32n },
  });
  assert.deepEqual(clockRule({ at: "2009-01-01", rate: 2 }), {
    ...{ mode: "at", nanoseconds: 1_230_768_000n * second, rate: 2n << 32n },
  });
  assert.equal(
    clockRule({ frozen: "2009-01-01T00:00:00.000000001Z" })?.nanoseconds,
    1_230_768_000n * second + 1n,
  );
  assert.equal(clockRule({ frozen: "1969-12-31 23:59:59.5" })?.nanoseconds, -500_000_000n);
  const wrong = [
    { offset: "x" },
    { at: "soon" },
    { at: "2009-13-01" },
    { rate: 0 },
    { offset: "1d", at: "2009-01-01" },
  ];
  for (const clock of [...wrong, { frozen: "1500-01-01" }])
    assert.throws(
      () => clockRule(clock),
      (error) => isTranshipError(error, "E_DESCRIPTOR_INVALID"),
    );
});

test("ends of network redirections are read, and what is none is refused with the value", () => {
  const rule = (from: string, to: string) => networkRule({ kind: "connect", from, to }, 0);
  assert.deepEqual(rule("192.168.2.1:13000", "127.0.0.1:12000"), {
    ...{ kind: "connect", declared: 0 },
    from: { address: [192, 168, 2, 1], port: 13000 },
    to: { address: [127, 0, 0, 1], port: 12000 },
  });
  assert.deepEqual(rule("*:80", ":8080").to, { address: [], port: 8080 });
  assert.deepEqual(rule("[::1]:80", "[::ffff:1.2.3.4]").to, {
    address: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4],
    port: 0,
  });
  assert.deepEqual(networkRule({ kind: "name", from: "Old-DB", to: "10.0.0.1" }, 3), {
    ...{ kind: "name", from: "old-db", to: "10.0.0.1", declared: 3 },
  });
  for (const end of [
    "",
    "300.1.1.1:1",
    "1.2.3.4:0",
    "1.2.3.4:65536",
    "[::1",
    "[1:2]:3",
    ":",
    "db:5432",
    "1.2.3:4",
  ])
    assert.throws(
      () => rule(end, "127.0.0.1:1"),
      (error) => isTranshipError(error, "E_DESCRIPTOR_INVALID"),
      end,
    );
  assert.throws(() => rule("1.2.3.4:1", "[::1]:1"), /one IP version|not an end/);
  assert.throws(() => networkRule({ kind: "name", from: "a b", to: "c" }, 0));
});

test("folders of the host stay the host's, whatever the rule around them", () => {
  const policy = compilePolicy({
    descriptor: { ...plain, redirections: files("/opt") },
    identity: plain.identity,
    host: ["/opt/proc"],
  });
  assert.deepEqual(
    policy.files.map((rule) => `${rule.from} ${rule.mode} ${rule.root} ${rule.declared}`),
    ["/opt full 0 0", "/opt/proc host 0 0"],
  );
  assert.equal(ruleFor(policy.files, "/opt/proc/1")?.mode, "host");
});

test("the layout of policy.bin is the documented one", () => {
  const file = encodePolicy(
    compilePolicy({ descriptor: { ...plain, redirections: files("/opt") }, identity: plain.identity }),
  );
  const hex = (from: number, count: number): string => Buffer.from(file).toString("hex", from, from + count);
  assert.equal(hex(0, 8), "5452504f4c000001");
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((i) => Buffer.from(file).toString("latin1", 24 + 16 * i, 28 + 16 * i)),
    ["RULE", "UNAM", "ELEM", "IDEN", "TEXT"],
  );
  // 24 bytes of header, 5 * 16 of directory: the rules begin at 104, their first entry behind 32 bytes of filter.
  assert.equal(hex(32, 8), "6800000038000000");
  assert.equal(hex(104, 32), `${"00".repeat(13)}80${"00".repeat(18)}`);
  assert.equal(hex(136, 24), "01000000060000000400040000000000ffffffff00000000");
});

test("sections that are unknown are skipped, or refused where they have to be understood", () => {
  const policy = compilePolicy({
    descriptor: { ...plain, redirections: files("/opt") },
    identity: plain.identity,
  });
  const renamed = (flags: number): Uint8Array => {
    const file = encodePolicy(policy);
    file.set(new TextEncoder().encode("NEW1"), 24);
    new DataView(file.buffer).setUint32(28, flags, true);
    return file;
  };
  assert.deepEqual(decodePolicy(renamed(0)), { ...policy, files: [] });
  assert.throws(() => decodePolicy(renamed(1)), /NEW1/);
});
