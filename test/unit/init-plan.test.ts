import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import type { Descriptor, Service } from "../../src/package/descriptor.ts";
import { compileInitPlan, decodeInitPlan, encodeInitPlan } from "../../src/package/init-plan.ts";
import { fullDescriptor } from "../support/init-descriptor.ts";

function withServices(...services: Partial<Service>[]): Descriptor {
  return { ...fullDescriptor, services: services.map((s, i) => ({ name: `s${i}`, program: "web", ...s })) };
}

describe("compileInitPlan", () => {
  test("puts services after what they need, in the written order otherwise", () => {
    const plan = compileInitPlan(fullDescriptor);
    assert.deepEqual(
      plan.services.map((service) => [service.name, service.program, service.after]),
      [
        ["db", 0, []],
        ["mail", 2, []],
        ["web", 1, [0, 1]],
        ["prepare", 1, []],
        ["old", 0, []],
      ],
    );
  });

  test("fills in what is not said", () => {
    const [service] = compileInitPlan(withServices({})).services;
    assert.deepEqual(service, {
      name: "s0",
      program: 1,
      startup: "auto",
      essential: true,
      type: "simple",
      pidFile: "",
      after: [],
      readiness: { kind: "none", timeout: 30_000 },
      restart: { policy: "no", attempts: 5, backoff: 1000 },
      stop: { signal: 15, timeout: 10_000, command: [] },
    });
  });

  test("knows what a volume promises", () => {
    const { volumes } = compileInitPlan(fullDescriptor);
    assert.deepEqual(
      volumes.map((volume) => volume.promised),
      [true, true, false, false],
    );
  });

  test("reads signals by name and number", () => {
    const signals = ["SIGTERM", "hup", "9", "SIGWINCH", "SIGRTMIN+3", "RTMIN"];
    const plan = compileInitPlan(withServices(...signals.map((signal) => ({ stop: { signal } }))));
    assert.deepEqual(
      plan.services.map((service) => service.stop.signal),
      [15, 1, 9, 28, 37, 34],
    );
  });

  const refused: [what: string, descriptor: Descriptor, message: RegExp][] = [
    ["a circle", withServices({ after: ["s1"] }, { after: ["s0"] }, {}), /in a circle: s0, s1$/],
    ["a service after itself", withServices({ after: ["s0"] }), /circle: s0/],
    ["an unknown program", withServices({ program: "x" }), /service s0: program "x" does not exist/],
    ["an unknown service", withServices({ after: ["x"] }), /service s0: after "x" does not exist/],
    ["two of a name", withServices({ name: "a" }, { name: "a" }), /two entries are called service a/],
    [
      "forking without pidFile",
      withServices({ type: "forking" }),
      /service s0 is forking, but has no pidFile/,
    ],
    [
      "a relative pid file",
      withServices({ type: "forking", pidFile: "x" }),
      /pidFile is not an absolute path: "x"/,
    ],
    ["two kinds of readiness", withServices({ readiness: { port: 1, file: "/x" } }), /more than one of port/],
    ["a port out of range", withServices({ readiness: { port: 65536 } }), /not a port: 65536/],
    ["a bad duration", withServices({ stop: { timeout: "soon" } }), /stop\.timeout: not a duration: "soon"/],
    ["a bad signal", withServices({ stop: { signal: "SIGNO" } }), /no signal: "SIGNO"/],
    ["signal 0", withServices({ stop: { signal: "0" } }), /no signal/],
    [
      "a bad mode",
      { ...fullDescriptor, directories: [{ path: "/x", mode: "rwx", uid: 0, gid: 0 }] },
      /octal mode: "rwx"/,
    ],
    [
      "a bad cron line",
      { ...fullDescriptor, schedules: [{ name: "x", cron: "61 * * * *", program: "db" }] },
      /minute/,
    ],
    ["a bad variable", { ...fullDescriptor, environment: { "A=B": "" } }, /not a variable name: "A=B"/],
    [
      "an empty command",
      { ...fullDescriptor, services: [], schedules: [], programs: [{ name: "x", command: [] }] },
      /empty/,
    ],
  ];
  for (const [what, descriptor, message] of refused) {
    test(`refuses ${what}`, () => {
      assert.throws(
        () => compileInitPlan(descriptor),
        (error) => isTranshipError(error, "E_DESCRIPTOR_INVALID") && message.test(error.message),
      );
    });
  }
});

describe("init.bin", () => {
  test("comes back as it was", () => {
    const plan = compileInitPlan(fullDescriptor);
    assert.deepEqual(decodeInitPlan(encodeInitPlan(plan)), plan);
  });

  test("is refused when cut anywhere, or longer", () => {
    const bytes = encodeInitPlan(compileInitPlan(fullDescriptor));
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(
        () => decodeInitPlan(bytes.subarray(0, length)),
        (error) => isTranshipError(error, "E_PROTOCOL"),
      );
    }
    assert.throws(() => decodeInitPlan(new Uint8Array([...bytes, 0])), /bytes after the end/);
  });

  test("takes no text that no program can be given", () => {
    const plan = compileInitPlan(fullDescriptor);
    for (const value of ["a\0b", "\ud800"]) {
      assert.throws(
        () => encodeInitPlan({ ...plan, environment: [["A", value]] }),
        (error) => isTranshipError(error, "E_DESCRIPTOR_INVALID"),
      );
    }
  });

  test("has its limits", () => {
    const plan = compileInitPlan(fullDescriptor);
    const [service] = plan.services;
    assert.ok(service);
    for (const large of [
      { ...plan, services: Array.from({ length: 257 }, () => service) },
      { ...plan, environment: Array.from({ length: 4097 }, (_, i) => [`V${i}`, ""] as const) },
      { ...plan, environment: [["A", "x".repeat(2 << 20)] as const] },
      { ...plan, environment: Array.from({ length: 10 }, (_, i) => [`V${i}`, "x".repeat(1 << 19)] as const) },
    ]) {
      assert.throws(
        () => encodeInitPlan(large),
        (error) => isTranshipError(error, "E_LIMIT"),
      );
    }
  });
});
