import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isTranshipError } from "../../src/base/errors.ts";
import { parseCron } from "../../src/package/cron.ts";
import {
  compileInitPlan,
  decodeInitPlan,
  encodeInitPlan,
  type InitPlan,
} from "../../src/package/init-plan.ts";
import { fullDescriptor } from "../support/init-descriptor.ts";

const text = fc.string({ unit: "binary", maxLength: 40 }).filter((s) => !s.includes("\0"));
const name = text.filter((s) => s.length > 0 && !s.includes("="));
const path = text.map((s) => `/${s}`);
const u32 = fc.nat({ max: 0xffff_fffe });
const texts = fc.array(text, { maxLength: 4 });
const words = fc.array(text, { minLength: 1, maxLength: 4 });
const variables = fc.array(fc.tuple(name, text), { maxLength: 4 });

const readiness = fc.oneof(
  fc.record({ kind: fc.constant("none" as const), timeout: u32 }),
  fc.record({ kind: fc.constant("port" as const), port: fc.integer({ min: 1, max: 65535 }), timeout: u32 }),
  fc.record({ kind: fc.constant("file" as const), file: path, timeout: u32 }),
  fc.record({ kind: fc.constant("exec" as const), exec: words, timeout: u32 }),
  fc.record({ kind: fc.constant("log" as const), log: name, timeout: u32 }),
);

const numbers = (min: number, max: number) =>
  fc.uniqueArray(fc.integer({ min, max })).map((list) => list.sort((a, b) => a - b));

const schedule = fc.record({
  name,
  expression: text,
  program: fc.constant(0),
  times: fc.record({
    minutes: numbers(0, 59),
    hours: numbers(0, 23),
    days: numbers(1, 31),
    months: numbers(1, 12),
    weekdays: numbers(0, 6),
    anyDay: fc.boolean(),
    anyWeekday: fc.boolean(),
    fixed: fc.boolean(),
    atStart: fc.boolean(),
  }),
});

const service = fc.record({
  name,
  program: fc.constant(0),
  startup: fc.constantFrom("auto" as const, "manual" as const, "disabled" as const),
  essential: fc.boolean(),
  type: fc.constantFrom("simple" as const, "forking" as const, "oneshot" as const),
  pidFile: path,
  after: fc.constant([]),
  readiness,
  restart: fc.record({
    policy: fc.constantFrom("no" as const, "on-failure" as const, "always" as const),
    attempts: fc.option(u32),
    backoff: u32,
  }),
  stop: fc.record({ signal: fc.integer({ min: 1, max: 64 }), timeout: u32, command: texts }),
});

const socketName = name.filter((s) => !s.includes(":"));
const socket = fc
  .oneof(
    fc.record({
      type: fc.constantFrom("stream" as const, "datagram" as const),
      address: text.filter((s) => !/^[/@]/.test(s)),
      port: fc.integer({ min: 1, max: 65535 }),
    }),
    fc.record({
      type: fc.constantFrom("stream" as const, "datagram" as const, "seqpacket" as const),
      address: fc.oneof(
        path,
        text.map((s) => `@${s}`),
      ),
      port: fc.constant(0),
    }),
  )
  .chain((at) =>
    fc.record({
      service: fc.constant(0),
      given: fc.constantFrom("listen" as const, "input" as const),
      name: socketName,
      mode: fc.nat({ max: 0o777 }),
      uid: u32,
      gid: u32,
      ipv6Only: fc.boolean(),
      ...{ type: fc.constant(at.type), address: fc.constant(at.address), port: fc.constant(at.port) },
    }),
  );

const plans: fc.Arbitrary<InitPlan> = fc
  .record({
    log: fc.record({ maxSize: fc.maxSafeNat(), maxFiles: u32 }),
    environment: variables,
    directories: fc.array(
      fc.record({ path, mode: fc.nat({ max: 0o7777 }), uid: u32, gid: u32, empty: fc.boolean() }),
      {
        maxLength: 3,
      },
    ),
    volumes: fc.array(
      fc.record({
        path,
        initial: fc.constantFrom("none" as const, "copy" as const, "sync" as const),
        promised: fc.boolean(),
      }),
      { maxLength: 3 },
    ),
    secrets: fc.array(
      fc.record({
        delivery: fc.constantFrom("mount" as const, "env" as const),
        name,
        required: fc.boolean(),
        reason: text,
      }),
      { maxLength: 3 },
    ),
    programs: fc.array(
      fc.record({ name, command: words, workingDirectory: text, user: text, environment: variables }),
      { minLength: 1, maxLength: 3 },
    ),
    services: fc.array(service, { maxLength: 3 }),
    schedules: fc.array(schedule, { maxLength: 3 }),
    sockets: fc.array(socket, { maxLength: 3 }),
  })
  .map((plan) => (plan.services.length === 0 ? { ...plan, sockets: [] } : plan));

describe("init.bin", () => {
  test("decode of encode is the identity", () => {
    fc.assert(
      fc.property(plans, (plan) =>
        assert.deepEqual(decodeInitPlan(encodeInitPlan(plan)), structuredClone(plan)),
      ),
    );
  });

  test("any bytes are decoded or refused", () => {
    const whole = encodeInitPlan(compileInitPlan(fullDescriptor));
    const edit = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 5 }), fc.uint8Array({ maxLength: 20 }), (edits, tail) => {
        const bytes = new Uint8Array([...whole, ...tail]);
        for (const [at, value] of edits) bytes[at] = value;
        try {
          const plan = decodeInitPlan(bytes);
          assert.deepEqual(decodeInitPlan(encodeInitPlan(plan)), plan);
        } catch (error) {
          assert.ok(isTranshipError(error, "E_PROTOCOL"), String(error));
        }
      }),
    );
  });

  test("any cron text is parsed or refused with a reason", () => {
    const field = fc.stringMatching(/^[*0-9a-z,/-]{0,8}$/);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(field, { minLength: 5, maxLength: 5 }).map((f) => f.join(" ")),
        ),
        (line) => {
          const result = parseCron(line);
          if ("problem" in result) assert.ok(result.problem.length > 0);
          else if (!result.times.atStart)
            assert.ok(result.times.minutes.length > 0 && result.times.weekdays.length > 0);
        },
      ),
    );
  });
});
