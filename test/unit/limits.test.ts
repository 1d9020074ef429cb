// Limits as they are written, merged and turned into the words of the kernel.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import { parseRate } from "../../src/base/units.ts";
import { checkSwap, fixedLimits, limits } from "../../src/cli/instances/limit-options.ts";
import { newDescriptor } from "../../src/package/descriptor.ts";
import { runFacts } from "../../src/package/run-facts.ts";
import { chosenLimits, parseSet, weightOfShares } from "../../src/runtime/limits/limits.ts";
import { lostGroups } from "../../src/runtime/limits/mend.ts";

const usage = (error: unknown): boolean => isTranshipError(error, "E_USAGE");

describe("flags of limits", () => {
  it("reads docker's words", () => {
    assert.deepEqual(
      limits({ memory: "64m", memorySwap: "-1", cpus: "1.5", cpuShares: "512", cpusetCpus: "0-1,3" }),
      { memory: 64 << 20, memorySwap: null, cpus: 1.5, cpuShares: 512, cpusetCpus: "0-1,3" },
    );
    assert.deepEqual(fixedLimits({ ulimit: ["nofile=40:50", "core=-1"], storageOpt: ["size=1g"] }), {
      ulimits: [
        { name: "nofile", soft: 40, hard: 50 },
        { name: "core", soft: null, hard: null },
      ],
      disk: 1 << 30,
    });
    assert.deepEqual(fixedLimits({ deviceReadBps: ["/dev/sda:1mb"], deviceWriteIops: ["/dev/sda:9"] }), {
      rates: [
        { kind: "read-bps", path: "/dev/sda", rate: 1_000_000 },
        { kind: "write-iops", path: "/dev/sda", rate: 9 },
      ],
    });
  });

  it("takes away what update names so", () => {
    assert.deepEqual(limits({ memory: "0", pidsLimit: "-1" }, /^(0|-1)$/), { memory: null, pids: null });
  });

  it("refuses what is no limit", () => {
    const wrong = [
      { cpus: "0" }, { memory: "0" }, { cpuShares: "1" }, { cpusetCpus: "3-1" }, { blkioWeight: "9" },
      { oomScoreAdj: "1001" }, { pidsLimit: "x" }, { ingressBandwidth: "fast" },
    ]; // biome-ignore format: a list
    for (const options of wrong) assert.throws(() => limits(options), usage, JSON.stringify(options));
    const fixed = [
      { ulimit: ["nofile=20:10"] }, { ulimit: ["nonsense=1"] }, { ulimit: ["nofile=5"] }, { ulimit: ["nofile=unlimited:9"] }, { storageOpt: ["size=1m"] },
      { storageOpt: ["ratio=1"] }, { deviceReadBps: ["sda:1mb"] }, { deviceReadIops: ["/dev/sda:1mb"] },
    ]; // biome-ignore format: a list
    for (const options of fixed) assert.throws(() => fixedLimits(options), usage, JSON.stringify(options));
    assert.throws(() => checkSwap({ memorySwap: 1 }), usage);
    assert.throws(() => checkSwap({ memory: 2, memorySwap: 1 }), usage);
  });
});

it("sees whether the groups of a process are its instance's", () => {
  const text = "3:memory:/tranship-ab\n2:cpu,cpuacct:/\n1:pids:/tranship-ab/inner\n0::/\n";
  assert.deepEqual(lostGroups(text, "ab", ["memory", "cpu", "pids"]), ["cpu", "pids"]);
  assert.deepEqual(lostGroups("0::/tranship-ab\n", "ab", ["memory", "cpu"]), []);
  assert.deepEqual(lostGroups("0::/user.slice\n", "ab", ["memory"]), ["memory"]);
  assert.deepEqual(lostGroups("", "ab", ["memory"]), []);
});

describe("limits", () => {
  it("reads rates as tc and Kubernetes have them", () => {
    assert.deepEqual(
      ["10mbit", "8kbit", "1mbps", "8", "8K", "1.5gbit"].map(parseRate),
      [1_250_000, 1000, 1_000_000, 1, 1000, 187_500_000],
    );
    for (const text of ["", "fast", "-1", "7", "1mb"]) assert.throws(() => parseRate(text), usage, text);
  });

  it("reads lists of processors", () => {
    assert.deepEqual(parseSet("0-2,5"), [0, 1, 2, 5]);
    for (const text of ["", "a", "2-1", "1,", "99999999999"]) assert.equal(parseSet(text), undefined, text);
  });

  it("turns shares into weights as the runtimes do", () => {
    assert.deepEqual([2, 1024, 262_144].map(weightOfShares), [1, 39, 10_000]);
  });

  it("takes what is asked for before what the package has", () => {
    const ofPackage = { memory: 100, disk: 5, ulimits: [{ name: "nofile", soft: 1, hard: 1 }] };
    const asked = { memory: 7, cpus: 2, ulimits: [{ name: "core", soft: 0, hard: 0 }] };
    assert.deepEqual(chosenLimits(asked, ofPackage), {
      memory: 7,
      cpus: 2,
      pids: null,
      disk: 5,
      ulimits: [
        { name: "nofile", soft: 1, hard: 1 },
        { name: "core", soft: 0, hard: 0 },
      ],
    });
    assert.deepEqual(chosenLimits({}, {}), { memory: null, cpus: null, pids: null });
  });

  it("gives a descriptor's limits as numbers, and refuses what cannot be", () => {
    const descriptor = newDescriptor(
      { id: "a", name: "a", version: "1", publisher: "" },
      { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" },
    );
    const none = { memory: null, cpus: null, pids: null, disk: null, network: null };
    const limitsOf = (more: object) => runFacts({ ...descriptor, limits: { ...none, ...more } }, "a").limits;
    assert.deepEqual(limitsOf({}), {});
    assert.deepEqual(limitsOf({ memory: "1GiB", network: "8mbit", cpuset: "0", io: 100, files: 99 }), {
      memory: 1 << 30,
      ingress: 1_000_000,
      egress: 1_000_000,
      cpusetCpus: "0",
      blkioWeight: 100,
      ulimits: [{ name: "nofile", soft: 99, hard: 99 }],
    });
    for (const wrong of [{ cpus: -1 }, { io: 1 }, { pids: Number.NaN }])
      assert.throws(
        () => limitsOf(wrong),
        (error) => isTranshipError(error, "E_DESCRIPTOR_INVALID"),
      );
  });
});
