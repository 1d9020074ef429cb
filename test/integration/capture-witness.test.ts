// A capture with the file witness beside the tracer: the union of both, what only one saw, and a witness that fails.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { planSchema } from "../../src/capture/plan/plan-schema.ts";
import { installRoot } from "../../src/host/native.ts";
import { readDocument } from "../../src/package/yaml.ts";
import {
  type CaptureHost,
  captureHost,
  descendant,
  failsCleanly,
  nothingLeft,
  whyNoCapture,
} from "../support/capture.ts";
import { eventually } from "../support/enter.ts";
import { addText } from "../support/small-root.ts";
import { make } from "../support/trace.ts";

const skip = whyNoCapture();
const queueLimit = "/proc/sys/fs/fanotify/max_queued_events";

async function hostWithFixture(t: TestContext): Promise<CaptureHost> {
  const host = await captureHost(t);
  addText(host.source, { "opt/uring.conf": "a\n", "opt/both.conf": "b\n", "opt/exercised.conf": "c\n" });
  const flags = ["-O2", "-static", "-std=gnu11", "-D_GNU_SOURCE"];
  make("gcc", [
    ...flags,
    "-o",
    join(host.source, "opt/fixture"),
    join(installRoot, "native/witness/test/fixture.c"),
  ]);
  return host;
}

interface Told {
  files: Set<string>;
  witnesses: { both: number; tracerOnly: string[]; witnessOnly: string[] } | undefined;
  stderr: string;
}

async function planOf(host: CaptureHost, ...words: string[]): Promise<Told> {
  const file = join(host.base, "plan.yaml");
  const made = await host.tool(["capture", "run", "-m", host.machine, "--plan-only", "-o", file, ...words]);
  assert.equal(made.status, 0, made.stderr);
  const { value } = readDocument(readFileSync(file, "utf8"), planSchema, 1 << 20);
  return {
    files: new Set(value?.groups.flatMap((group) => group.files)),
    witnesses: value?.witnesses,
    stderr: made.stderr,
  };
}

const ioUring = (): boolean => readFileSync("/proc/sys/kernel/io_uring_disabled", "utf8").trim() === "0";

test("the file witness sees what the tracer cannot, and both are one evidence", { skip }, async (t) => {
  const host = await hostWithFixture(t);
  const command = [
    "--",
    "/bin/sh",
    "-c",
    // A file that the line names whole would come by its name alone.
    "name=uring; /opt/fixture uring /opt/$name.conf; cat /opt/both.conf; cat /proc/self/stat >/dev/null; : >/var/tmp/made; rm /var/tmp/made",
  ];
  await t.test("io_uring", { skip: ioUring() ? false : "this kernel has no io_uring" }, async () => {
    const both = await planOf(host, ...command);
    assert.ok(both.files.has("/opt/uring.conf") && both.files.has("/opt/both.conf"));
    assert.deepEqual(both.witnesses?.witnessOnly, ["/opt/uring.conf"]);
    assert.deepEqual(both.witnesses?.tracerOnly, []);
    assert.doesNotMatch(both.stderr, /warning: .*io_uring/);
    const alone = await planOf(host, "--no-witness", ...command);
    assert.deepEqual([alone.files.has("/opt/uring.conf"), alone.witnesses], [false, undefined]);
    assert.match(alone.stderr, /warning: traced: \/opt\/fixture: .*io_uring/);
    const packed = await host.tool(["capture", "run", "-m", host.machine, "-t", "x", ...command]);
    assert.equal(packed.status, 0, packed.stderr);
    assert.match(packed.stderr, /seen by both witnesses, 0 by the tracer only, 1 by the file witness only/);
    const why = await host.tool(["why", "x", "/opt/uring.conf"]);
    // Whose event it was is asked afterwards; where the program has ended by then the tracer knows.
    assert.match(why.stdout, /traced: read by \/opt\/fixture, seen by the file witness only/);
    assert.doesNotMatch((await host.tool(["why", "x", "/opt/both.conf"])).stdout, /witness/);
  });
  await t.test("an exercise is no evidence, though it lives in the same namespaces", async () => {
    const exercise = join(host.base, "try.sh");
    const script =
      "#!/bin/sh\nread line </opt/exercised.conf\ncat /opt/exercised.conf\n(cat /opt/exercised.conf &)\nsleep 0.3\n";
    writeFileSync(exercise, script, { mode: 0o755 });
    const told = await planOf(
      host,
      "--service",
      "dull",
      "--no-closure",
      "--exercise",
      exercise,
      "--linger",
      "300ms",
    );
    assert.ok(told.files.has("/bin/busybox"));
    assert.ok(!told.files.has("/opt/exercised.conf"), [...told.files].join(" "));
    assert.deepEqual(told.witnesses?.witnessOnly, []);
  });
});

test("a witness that misses something or dies makes no package", { skip }, async (t) => {
  const host = await hostWithFixture(t);
  await t.test("the kernel's queue was full", async () => {
    // The product never asks for a bounded queue: here a wrapper does.
    const native = join(host.base, "native");
    make("cp", ["-r", join(installRoot, "native/bin"), native]);
    make("cp", [join(native, "witness"), join(host.source, "opt/witness")]);
    writeFileSync(join(native, "witness"), '#!/bin/sh\nexec /opt/witness --limited-queue "$@"\n');
    const before = readFileSync(queueLimit, "utf8");
    writeFileSync(queueLimit, "1");
    try {
      const burst = ["--", "/opt/fixture", "burst", "/var/tmp", "3000"];
      const outcome = await host.tool(["capture", "run", "-m", host.machine, "-t", "x", ...burst], {
        TRANSHIP_NATIVE: native,
      });
      const says = /the file witness: the kernel's queue was full/;
      await failsCleanly(host, outcome, { code: "E_CAPTURE_INCOMPLETE", says, hint: /--no-witness/ });
    } finally {
      writeFileSync(queueLimit, before);
    }
  });
  await t.test("the witness is killed", async () => {
    const running = await host.start([
      "capture",
      "run",
      "-m",
      host.machine,
      "-t",
      "x",
      "--",
      "/bin/sleep",
      "100",
    ]);
    let witness: number | undefined;
    await eventually("the witness runs", () => {
      witness = descendant(running.pid, /^\/\.tranship\/witness /);
      return witness !== undefined && descendant(running.pid, /^\/bin\/sleep 100/) !== undefined;
    });
    process.kill(witness ?? 0, "SIGKILL");
    await failsCleanly(host, await running.exit, {
      code: "E_CAPTURE_INCOMPLETE",
      says: /ended before/,
      hint: /again/,
    });
  });
  await t.test("where fanotify is refused the tracer is alone, and that is said", async () => {
    const native = join(host.base, "refused");
    make("cp", ["-r", join(installRoot, "native/bin"), native]);
    make("cp", [join(native, "witness"), join(host.source, "opt/witness")]);
    writeFileSync(join(native, "witness"), '#!/bin/sh\nexec /opt/fixture lesser /opt/witness "$@"\n');
    const words = ["capture", "run", "-m", host.machine, "-t", "x", "--", "/bin/cat", "/opt/both.conf"];
    const outcome = await host.tool(words, { TRANSHIP_NATIVE: native });
    assert.equal(outcome.status, 0, outcome.stderr);
    assert.match(outcome.stderr, /warning: traced: without the file witness: fanotify cannot be used here: /);
    await host.tool(["rmi", "x"]);
    await nothingLeft(host);
  });
});
