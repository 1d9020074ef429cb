// The compiled filter says for every number what the rules say; a small interpreter of the kernel's instructions is the judge.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { callName, callNumbers, lastKnownCall } from "../../src/formats/syscall-numbers.ts";
import { capabilitySet } from "../../src/runtime/oci/capabilities.ts";
import { defaultRules, learnedRules } from "../../src/runtime/oci/seccomp.ts";
import { seccompFilter } from "../../src/runtime/oci/seccomp-filter.ts";

const amd64 = 0xc000_003e;
const i386 = 0x4000_0003;
const allow = 0x7fff_0000;
const told = 0x7fc0_0000;
const permission = 0x0005_0001;
const notImplemented = 0x0005_0026;

/** What the kernel would do with a call. */
function run(filter: Uint8Array, arch: number, number: number, argument = 0): number {
  const view = new DataView(filter.buffer, filter.byteOffset, filter.byteLength);
  const data: Record<number, number> = { 0: number >>> 0, 4: arch, 16: argument >>> 0 };
  let value = 0;
  for (let at = 0, steps = 0; steps < 4096; at++, steps++) {
    assert.ok(at * 8 < filter.byteLength, `jumped to ${at}`);
    const k = view.getUint32(at * 8 + 4, true);
    const jump = (taken: boolean) => view.getUint8(at * 8 + (taken ? 2 : 3));
    switch (view.getUint16(at * 8, true)) {
      case 0x20:
        value = data[k] ?? assert.fail(`loads offset ${k}`);
        break;
      case 0x15:
        at += jump(value === k);
        break;
      case 0x35:
        at += jump(value >= k);
        break;
      case 0x05:
        at += k;
        break;
      case 0x54:
        value = (value & k) >>> 0;
        break;
      case 0x06:
        return k;
      default:
        assert.fail(`unknown instruction ${view.getUint16(at * 8, true)}`);
    }
  }
  return assert.fail("runs in a circle");
}

const capabilities = capabilitySet([], []);

describe("filter of system calls", () => {
  for (const [abi, arch] of [
    ["amd64", amd64],
    ["i386", i386],
  ] as const) {
    for (const set of [capabilities, [], capabilitySet(["ALL"], [])]) {
      it(`answers each of 0 to 600 as the rules say (${abi}, ${set.length} capabilities)`, () => {
        const rules = defaultRules(set);
        for (const refusal of [true, false]) {
          const filter = seccompFilter(rules, refusal);
          const known = new Map([...callNumbers(abi)].map(([name, number]) => [number, name]));
          for (let number = 0; number <= 600; number++) {
            const name = known.get(number);
            const answer = run(filter, arch, number, name === "socket" ? 2 : 0);
            const silent = name === undefined ? undefined : rules.errno.get(name);
            const expected =
              number > lastKnownCall
                ? notImplemented
                : name !== undefined && (rules.allowed.has(name) || rules.conditional.has(name))
                  ? allow
                  : silent !== undefined
                    ? 0x0005_0000 + silent
                    : refusal
                      ? told
                      : permission;
            assert.equal(answer, expected, `${abi} ${number} ${name}`);
          }
        }
      });
    }
  }

  it("refuses x32 and unknown architectures, and lets a call pass that a tracer skips", () => {
    const filter = seccompFilter(defaultRules(capabilities), true);
    for (let number = 0; number <= 600; number++)
      assert.equal(run(filter, amd64, 0x4000_0000 + number), told);
    assert.equal(run(filter, 0xc000_00b7, 0), told);
    assert.equal(run(filter, amd64, 0xffff_ffff), allow);
    assert.equal(run(filter, i386, 0xffff_ffff), allow);
  });

  it("looks at the flags of clone, at the family of socket and at the personality", () => {
    const filter = seccompFilter(defaultRules(capabilities), true);
    const number = (name: string) => callNumbers("amd64").get(name) ?? -1;
    const answer = (name: string, argument: number) => run(filter, amd64, number(name), argument);
    const namespaces = [
      0x1000_0000, 0x0002_0000, 0x0400_0000, 0x0800_0000, 0x2000_0000, 0x4000_0000, 0x0200_0000,
    ];
    for (const flag of namespaces) assert.equal(answer("clone", 0x11 | flag), told);
    assert.equal(answer("clone", 0x003d_0f00), allow);
    assert.equal(answer("socket", 40), told);
    assert.equal(answer("socket", 16), allow);
    for (const one of [0, 8, 0x20000, 0x40000, 0x00400000, 0xffffffff])
      assert.equal(answer("personality", one), allow);
    for (const one of [0x100000, 0x140000, 3]) assert.equal(answer("personality", one), told);
  });

  it("allows with a learned profile what was learned and what init needs, and never more than the default", () => {
    const wide = seccompFilter(defaultRules(capabilities), true);
    const filter = seccompFilter(learnedRules(["sync", "mount", "socket"], capabilities), true);
    for (const [name, number] of callNumbers("amd64")) {
      const answer = run(filter, amd64, number, name === "socket" ? 2 : 0);
      if (answer === allow) assert.equal(run(wide, amd64, number, name === "socket" ? 2 : 0), allow, name);
    }
    const answer = (name: string) => run(filter, amd64, callNumbers("amd64").get(name) ?? -1);
    assert.deepEqual(
      [answer("sync"), answer("execve"), answer("mount"), answer("ptrace")],
      [allow, allow, told, told],
    );
    assert.equal(run(wide, amd64, callNumbers("amd64").get("ptrace") ?? -1), allow);
  });

  it("knows names by number in both ABIs", () => {
    assert.deepEqual(
      [callName("amd64", 59), callName("i386", 11), callName("amd64", 9999)],
      ["execve", "execve", "9999"],
    );
    assert.deepEqual(
      ["cachestat", "uretprobe", "open_tree_attr"].map((name) => callNumbers("amd64").get(name)),
      [451, 335, 467],
    );
  });
});
