// Memory does not grow with the machine as it did: the peak of a capture, as the kernel counted it, has a bound. Bounds are generous: what
// they notice is a copy of everything, or all questions asked at once.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { installRoot } from "../../src/host/native.ts";
import { whyNoCapture } from "../support/capture.ts";
import { makeSmallRoot } from "../support/small-root.ts";

const paths = 60_000;
const kibibytes = 1024;
/** The process tells at its end what the kernel counted, in KiB. */
const telling = 'process.on("exit", () => process.stderr.write(`PEAK ${process.resourceUsage().maxRSS}`));';

test("peak memory of a capture of 60,000 paths, planned and packed", { skip: whyNoCapture() }, (t) => {
  const base = mkdtempSync(join(tmpdir(), "tranship-memory-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const source = join(base, "machine");
  makeSmallRoot(source);
  // Links cost one call each; what is held of them in memory is what is held of files.
  for (let directory = 0; directory < paths / 500; directory++) {
    const place = join(source, `srv/application-data/part-${directory}`);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "file"), "x");
    for (let one = 0; one < 500; one++)
      symlinkSync("file", join(place, `link-number-${one}-of-this-directory`));
  }
  const hook = join(base, "peak.mjs");
  writeFileSync(hook, telling);
  const peak = (words: readonly string[]): number => {
    const { status, stderr } = spawnSync(
      join(installRoot, "bin/tranship"),
      ["--root", join(base, "state"), ...words],
      {
        encoding: "utf8",
        maxBuffer: 64 << 20,
        env: { ...process.env, NODE_OPTIONS: `--import=${hook}` },
      },
    );
    assert.equal(status, 0, stderr.slice(-2000));
    return Number(/PEAK (\d+)/.exec(stderr)?.[1]) / kibibytes;
  };
  const plan = join(base, "plan.yaml");
  const planned = peak(["capture", "machine", "-m", `rootfs:${source}`, "--plan-only", "-o", plan]);
  const packed = peak(["capture", "machine", "--plan", plan, "-t", "x"]);
  t.diagnostic(`peak: ${planned.toFixed(0)} MiB planned, ${packed.toFixed(0)} MiB packed`);
  assert.ok(planned < 190, `${planned.toFixed(0)} MiB to plan`);
  assert.ok(packed < 230, `${packed.toFixed(0)} MiB to pack`);
});
