import assert from "node:assert/strict";
import { posix } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isTranshipError } from "../../src/base/errors.ts";
import type { NetworkRule } from "../../src/redirect/endpoints.ts";
import { locate } from "../../src/redirect/locate.ts";
import type { Policy } from "../../src/redirect/policy.ts";
import { decodePolicy, encodePolicy } from "../../src/redirect/policy-codec.ts";
import { type FileRule, isWithin, makeTable, ruleFor } from "../../src/redirect/rules.ts";

// Few names that are close to each other in the order of bytes, so that rules lie around and beside each other.
const name = fc.constantFrom("a", "b", "a-", "a.", "a0", "\u0001", "é", "\u{1f600}", "ab");
const path = fc.array(name, { maxLength: 4 }).map((names) => `/${names.join("/")}`);
const leads = fc.constantFrom(
  "full" as const,
  "write-copy" as const,
  "merged" as const,
  "read-only" as const,
);
const rule: fc.Arbitrary<FileRule> = fc.oneof(
  fc.record({
    from: path,
    to: path,
    match: fc.constantFrom("exact" as const, "folder" as const),
    mode: leads,
    root: fc.constantFrom(0, 1),
    declared: fc.nat(),
  }),
  fc.record({
    from: path,
    to: fc.constant(""),
    match: fc.constantFrom("exact" as const, "folder" as const),
    mode: fc.constantFrom("hide" as const, "host" as const),
    root: fc.constant(0),
    declared: fc.nat(),
  }),
);

const text = fc.string({ unit: "binary", maxLength: 30 }).filter((s) => !s.includes("\0"));
const address = (length: number) => fc.array(fc.nat({ max: 255 }), { minLength: length, maxLength: length });
const port = fc.nat({ max: 65535 });
const network: fc.Arbitrary<NetworkRule> = fc.oneof(
  fc.constantFrom(4, 16).chain((length) =>
    fc.record({
      kind: fc.constantFrom("connect" as const, "bind" as const),
      from: fc.record({ address: fc.oneof(address(length), address(0)), port }),
      to: fc.record({ address: fc.oneof(address(length), address(0)), port }),
      declared: fc.nat(),
    }),
  ),
  fc.record({
    kind: fc.constant("name" as const),
    from: text.filter((s) => s !== ""),
    to: text.filter((s) => s !== ""),
    declared: fc.nat(),
  }),
);
const hex = (digits: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`));
const clock = fc.oneof(
  fc.record({
    mode: fc.constantFrom("offset" as const, "at" as const),
    nanoseconds: fc.bigInt({ min: -(1n << 63n) + 1n, max: (1n << 63n) - 1n }),
    rate: fc.bigInt({ min: 1n, max: (1n << 42n) - 1n }),
  }),
  fc.constant({ mode: "frozen" as const, nanoseconds: 5n, rate: 1n << 32n }),
);
const short = fc.string({ maxLength: 16 }).filter((s) => !s.includes("\0"));
const policies: fc.Arbitrary<Policy> = fc.record({
  files: fc.array(rule, { maxLength: 12 }).map(makeTable),
  network: fc.array(network, { maxLength: 4 }),
  clock: fc.option(clock, { nil: undefined }),
  uname: fc.record({ release: short, version: short, machine: short }, { requiredKeys: [] }),
  vsyscall: fc.constantFrom("auto" as const, "on" as const, "off" as const),
  loopback: fc.constantFrom("kernel" as const, "fast" as const),
  identity: fc.record({
    hostname: fc.option(text),
    domain: fc.option(text),
    macAddress: fc.option(hex(12).map((digits) => (digits.match(/../g) ?? []).join(":"))),
    machineId: fc.option(hex(32)),
    hostId: fc.option(hex(8)),
    dmi: fc
      .uniqueArray(fc.constantFrom("board_name", "chassis_serial", "product_serial", "sys_vendor"))
      .chain((names) => fc.tuple(...names.sort().map((one) => fc.tuple(fc.constant(one), text)))),
  }),
  links: fc.array(text, { minLength: 1, maxLength: 3 }),
  excludes: fc.array(text, { maxLength: 3 }),
});

/** The order as it is promised, tried one by one. */
function slowly(rules: readonly FileRule[], location: string): FileRule | undefined {
  const fits = rules.filter((one) =>
    one.match === "exact" ? one.from === location : isWithin(location, one.from),
  );
  const longest = (match: string): FileRule | undefined =>
    fits
      .filter((one) => one.match === match)
      .reduce<FileRule | undefined>(
        (best, one) => (best === undefined || one.from.length > best.from.length ? one : best),
        undefined,
      );
  return longest("exact") ?? longest("folder");
}

describe("redirections", () => {
  test("the search by halves finds the rule that the promised order names", () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 12 }), path, (rules, location) => {
        const { outer: _, ...found } = ruleFor(makeTable(rules), location) ?? { outer: null };
        assert.deepEqual(found, { ...slowly(rules, location) });
      }),
      { numRuns: 2000 },
    );
  });

  test("a walk without links is what the path says", () => {
    const words = fc.array(fc.constantFrom("a", "b", "..", ".", ""), { maxLength: 8 });
    fc.assert(
      fc.property(words, path, (list, cwd) => {
        const asked = list.join("/");
        const found = locate(asked, { cwd, follow: true, readLink: () => undefined });
        if (asked === "") assert.deepEqual(found, { errno: "ENOENT" });
        else assert.equal("location" in found && found.location, posix.resolve(cwd, asked));
      }),
    );
  });
});

describe("policy.bin", () => {
  test("decode of encode is the identity", () => {
    fc.assert(
      fc.property(policies, (policy) =>
        assert.deepEqual(decodePolicy(encodePolicy(policy)), structuredClone(policy)),
      ),
    );
  });

  test("any bytes are decoded or refused", () => {
    fc.assert(
      fc.property(
        policies,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 5 }),
        fc.nat(),
        (policy, edits, cut) => {
          const whole = encodePolicy(policy);
          for (const [at, value] of edits) whole[at % whole.length] = value;
          const bytes = cut % 4 === 0 ? whole.subarray(0, cut % whole.length) : whole;
          try {
            const read = decodePolicy(bytes);
            assert.deepEqual(decodePolicy(encodePolicy(read)), read);
          } catch (error) {
            assert.ok(isTranshipError(error, "E_PROTOCOL"), String(error));
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
