// The demo as users start it, and as they stop it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { instanceNames } from "../../src/cli/demo/home.ts";
import { installRoot } from "../../src/host/native.ts";
import { type Fixture, makeFixture, whyNot } from "../integration/runtime-fixture.ts";
import { buildLamp, whyNoLamp } from "../support/lamp.ts";
import { lamp } from "../support/roots.ts";

const skip = whyNot() ?? whyNoLamp() ?? false;
const launcher = join(installRoot, "bin/tranship");

describe("the demo", { skip, timeout: 600_000 }, () => {
  let fixture: Fixture;
  let temporary: string;

  before(async () => {
    buildLamp();
    fixture = await makeFixture();
    // Its homes are looked for where it makes them; what others have in /tmp is none of ours.
    temporary = mkdtempSync(join(tmpdir(), "tranship-demo-test-"));
  });
  after(async () => {
    // Where a test failed, a demo may have been left with its instances.
    for (const name of readdirSync(temporary).filter((one) => one.startsWith("tranship-demo-")))
      await fixture.cli(["rm", "--force", "--volumes", ...instanceNames], {
        env: { TRANSHIP_ROOT: join(temporary, name) },
      });
    await fixture?.remove();
    rmSync(temporary, { recursive: true, force: true });
  });

  const words = [launcher, "demo", "--cache", lamp];
  const nothingLeft = async (): Promise<void> => {
    assert.deepEqual(readdirSync(temporary), []);
    const devices = await fixture.inside(["ls", "/proc/self/net/dev_snmp6"]);
    assert.equal(devices.stdout, "lo\n");
    assert.equal((await fixture.inside(["nft", "list", "ruleset"])).stdout, "");
    const running = await fixture.inside([
      "sh",
      "-c",
      `grep -lsaF ${temporary}/ /proc/[0-9]*/mountinfo || true`,
    ]);
    assert.equal(running.stdout, "");
  };

  /** Stops it by a signal as soon as it has said something. */
  const stopAt = async (
    said: RegExp,
    signal: NodeJS.Signals,
  ): Promise<{ status: number | null; text: string }> => {
    const child = spawn("nsenter", ["-t", String(await holderOf(fixture)), "-n", "-m", ...words], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    let sent = false;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        if (sent || !said.test(text)) return;
        sent = true;
        child.kill(signal);
      });
    // After SIGKILL, verbs that it had started may hold the pipes a little longer.
    const event = signal === "SIGKILL" ? "exit" : "close";
    const status = await new Promise<number | null>((resolve) => child.on(event, resolve));
    assert.ok(sent, text.slice(-3000));
    return { status, text };
  };

  it("ends with 0 when everything matched, and leaves nothing", async () => {
    const { status, stdout, stderr } = await fixture.inside(words, { env: { TMPDIR: temporary } });
    assert.equal(status, 0, stdout.slice(-3000) + stderr.slice(-3000));
    assert.match(stdout, /^ {2}same {2}\/calendar\.php/m);
    assert.match(stdout, /\/entry\/301: 404$/m);
    assert.match(stdout, /^ {2}unchanged {2}the old machine/m);
    assert.match(stdout, /^Everything matched/m);
    await nothingLeft();
  });

  for (const [what, said] of [
    ["captures", /watching|== 4\. Capture/],
    ["runs its instances", /== 8\. Every page/],
  ] as const)
    it(`leaves nothing when it is stopped while it ${what}`, async () => {
      const { status, text } = await stopAt(said, "SIGINT");
      assert.equal(status, 130, text.slice(-3000));
      assert.match(text, /error\[E_INTERRUPTED\]: the demo was stopped/);
      await nothingLeft();
    });

  it("removes what a killed demo left", async () => {
    await stopAt(/== 8\. Every page/, "SIGKILL");
    assert.equal(readdirSync(temporary).length, 1);
    const { text } = await stopAt(/== 1\. Remember/, "SIGINT");
    assert.match(text, /removing what an earlier demo left/);
    await nothingLeft();
  });

  it("says plainly that it needs root", async () => {
    const plain = join(temporary, "plain");
    mkdirSync(plain);
    try {
      const result = await fixture.inside([
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        ...words,
      ]);
      assert.equal(result.status, 1);
      assert.match(
        result.stderr,
        /^error\[E_NEEDS_ROOT\]: the demo needs root\n {2}hint: .*sudo tranship demo/,
      );
    } finally {
      rmSync(plain, { recursive: true });
    }
  });

  it("says plainly that debootstrap is missing", async () => {
    const cache = join(temporary, "cache");
    const path = join(temporary, "bin");
    mkdirSync(path);
    try {
      const script = `for name in sh bash env cat sha256sum cut dirname uname readlink; do ln -s "$(command -v $name)" ${path}/; done`;
      await fixture.inside(["sh", "-c", script]);
      const main = join(installRoot, "src/cli/main.ts");
      const result = await fixture.inside([
        "env",
        `PATH=${path}`,
        process.execPath,
        main,
        "demo",
        "--cache",
        cache,
      ]);
      assert.equal(result.status, 1);
      assert.match(
        result.stderr,
        /^error\[E_TOOL_MISSING\]: debootstrap, .* is not installed\n {2}hint: run scripts\/setup/,
      );
    } finally {
      rmSync(path, { recursive: true });
    }
  });
});

/** The process that holds the fixture's namespaces: the sleeper among those that are in them. */
async function holderOf(fixture: Fixture): Promise<number> {
  const script =
    'own=$(readlink /proc/self/ns/net); for p in /proc/[0-9]*; do [ "$(readlink "$p/ns/net")" = "$own" ] && grep -qs ^sleep "$p/cmdline" && basename "$p"; done';
  const found = await fixture.inside(["sh", "-c", script]);
  return Number(found.stdout.trim().split("\n")[0]);
}
