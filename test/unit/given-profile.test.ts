import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseProfile, profileJson } from "../../src/runtime/oci/given-profile.ts";

const host = { capabilities: ["CAP_CHOWN"], architecture: "x64", kernel: "6.1.0-57-amd64" };
const deny = { names: ["chmod"], action: "SCMP_ACT_ERRNO" };

/** Names of the rules that hold on that host. */
function holds(rule: object, more: object = {}): boolean {
  const text = JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ ...deny, ...rule }] });
  const made = profileJson(parseProfile(text, "f"), { ...host, ...more }) as { syscalls: object[] };
  return made.syscalls.length === 1;
}

describe("a seccomp profile in docker's format", () => {
  it("has the rules that fit capabilities, architecture and kernel", () => {
    assert.equal(holds({}), true);
    assert.equal(holds({ includes: { caps: ["CAP_CHOWN"] } }), true);
    assert.equal(holds({ includes: { caps: ["CAP_CHOWN", "CAP_BPF"] } }), false);
    assert.equal(holds({ excludes: { caps: ["CAP_BPF", "CAP_CHOWN"] } }), false);
    assert.equal(holds({ includes: { arches: ["s390", "amd64"] } }), true);
    assert.equal(holds({ includes: { arches: ["s390"] } }), false);
    assert.equal(holds({ includes: { arches: ["arm64"] } }, { architecture: "arm64" }), true);
    assert.equal(holds({ excludes: { arches: ["x86"] } }), true);
    assert.equal(holds({ excludes: { arches: ["amd64"] } }), false);
    assert.equal(holds({ includes: { minKernel: "4.8" } }), true);
    assert.equal(holds({ includes: { minKernel: "6.2" } }), false);
    assert.equal(holds({ includes: { minKernel: "6.1" } }), true);
    assert.equal(holds({ excludes: { minKernel: "6.1" } }), false);
    assert.equal(holds({ includes: {}, excludes: {} }), true);
  });

  it("keeps what the OCI runtime is to know, and takes the architectures of this host", () => {
    const text = JSON.stringify({
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 1,
      archMap: [
        { architecture: "SCMP_ARCH_S390X", subArchitectures: ["SCMP_ARCH_S390"] },
        { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] },
      ],
      syscalls: [
        {
          names: ["read"],
          action: "SCMP_ACT_ALLOW",
          args: null,
          comment: "",
          includes: null,
          excludes: null,
        },
        {
          name: "clone3",
          action: "SCMP_ACT_ERRNO",
          errnoRet: 38,
          args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ" }],
        },
      ],
    });
    assert.deepEqual(profileJson(parseProfile(text, "f"), host), {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 1,
      architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
      syscalls: [
        { names: ["read"], action: "SCMP_ACT_ALLOW" },
        {
          names: ["clone3"],
          action: "SCMP_ACT_ERRNO",
          errnoRet: 38,
          args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ" }],
        },
      ],
    });
  });

  it("says what is wrong with it", () => {
    for (const [text, message] of [
      ["[]", /f is no seccomp profile: it is no object/],
      ['{"defaultAction":"ALLOW"}', /defaultAction: not an action: "ALLOW"/],
      ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}', /syscalls is no list/],
      ['{"defaultAction":"SCMP_ACT_ALLOW","archMap":[1]}', /archMap has an entry without architecture/],
      ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[1],"action":"x"}]}', /has no names/],
    ] as const)
      assert.throws(() => parseProfile(text, "f"), { code: "E_USAGE", message });
  });
});
