// Instances in process, as far as files and values say: the policy of one, what its log of redirections tells, what is not held.
import assert from "node:assert/strict";
import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ruleFor } from "../../src/redirect/rules.ts";
import { removeBundle } from "../../src/runtime/bundle.ts";
import { buildCopies } from "../../src/runtime/inprocess/copies.ts";
import { ledOf } from "../../src/runtime/inprocess/led.ts";
import { notHeld } from "../../src/runtime/inprocess/not-held.ts";
import { instancePolicy } from "../../src/runtime/inprocess/policy.ts";
import { pathsIn } from "../../src/runtime/instance-paths.ts";
import type { InstanceRecord } from "../../src/runtime/record.ts";

describe("in process", () => {
  let home: string;
  before(() => {
    home = mkdtempSync(join(tmpdir(), "tranship-unit-in-process-"));
  });
  after(() => rmSync(home, { recursive: true, force: true }));

  for (const mode of ["write-copy", "merged"] as const)
    it(`keeps secrets of the host out of a directory that the package has too (${mode})`, async () => {
      const paths = pathsIn(join(home, mode));
      const put = (path: string): void => {
        mkdirSync(dirname(join(paths.tree, path)), { recursive: true });
        writeFileSync(join(paths.tree, path), "");
      };
      for (const path of ["etc/ssl/private/own.key", "etc/krb5.keytab"]) put(path);
      // Where they lead to on this host is there.
      symlinkSync("/etc", join(paths.tree, "etc/wireguard"));
      symlinkSync("/", join(paths.tree, "etc/ssh"));
      const made = { as: "engine", at: "/etc", source: "/etc", host: "/etc" } as const;
      const given = { from: "/etc", to: "/etc", match: "folder", mode, by: "package", made } as const;
      const record = {
        hostname: "h", mounts: [], secrets: [], network: {}, redirections: { rules: [given], host: ["/etc"] },
      } as unknown as InstanceRecord; // biome-ignore format: short
      const { files } = instancePolicy({ record, paths, identity: [], mac: null });
      const led = (path: string): [string, string] | undefined => {
        const rule = ruleFor(files, path);
        return rule === undefined ? undefined : [rule.mode, rule.to];
      };
      const own = join(paths.tree, "etc/ssl/private");
      assert.deepEqual(led("/etc/ssl/private"), ["full", own]);
      assert.deepEqual(led("/etc/ssl/private/own.key"), ["full", own]);
      assert.deepEqual(led("/etc/ssl/certs"), [mode, join(paths.tree, "etc")]);
      assert.equal(led("/etc/wireguard/x")?.[0], mode === "merged" ? "hide" : mode);
      assert.equal(led("/etc/shadow")?.[0], mode === "merged" ? "hide" : mode);
      if (mode === "merged" || process.getuid?.() !== 0) return;
      await buildCopies(paths, record);
      const white = (path: string): boolean => {
        const stat = statOf(join(paths.redirect, "0/upper", path));
        return stat?.isCharacterDevice() === true;
      };
      assert.ok(white("shadow") && white("letsencrypt"));
      for (const path of ["ssl/private", "krb5.keytab", "wireguard", "ssh/ssh_host_rsa_key"])
        assert.equal(statOf(join(paths.redirect, "0/upper", path)), undefined, path);
    });

  it("tells what led where within bounds, newest processes first, and whose file was full", () => {
    const paths = pathsIn(join(home, "led"));
    mkdirSync(paths.led, { recursive: true });
    const line = (from: string): string =>
      `${JSON.stringify({ time: 1_700_000_000_000, kind: "file", from, to: "/x", redirected: true })}\n`;
    writeFileSync(join(paths.led, "10.jsonl"), `${line("/a/b")}no line\n${line("/ab")}{"full":true}\n`);
    // A program that writes there itself: nothing beyond what the engine would write is read.
    const large = join(paths.led, "11.jsonl");
    writeFileSync(large, line("/a/c"));
    appendFileSync(large, Buffer.alloc(2 << 20, 0x20));
    appendFileSync(large, `\n${line("/a/late")}`);
    symlinkSync("/etc/passwd", join(paths.led, "12.jsonl"));
    const record = { logsRedirections: true } as unknown as InstanceRecord;
    const { lines, full, left } = ledOf({ paths, record }, "/a/");
    assert.deepEqual(lines.map(({ pid, from }) => [pid, from]).sort(), [
      [10, "/a/b"],
      [11, "/a/c"],
    ]);
    assert.deepEqual([full, left], [[10], 0]);
    utimesSync(large, 1, 1);
    const never = { paths: pathsIn(join(home, "never")), record };
    assert.deepEqual(ledOf(never, ""), { lines: [], full: [], left: 0 });
    const some = ledOf({ paths, record }, "", 2);
    assert.deepEqual([some.lines.map(({ pid }) => pid), some.left], [[10, 10], 1]);
  });

  it("leaves nothing of a killed exec when the instance has ended", () => {
    const paths = pathsIn(join(home, "ended"));
    mkdirSync(paths.bundle, { recursive: true });
    const left = ["exec-0a1b2c.environment", "exec-0a1b2c.json", "exec-0a1b2c.json.log", "config.json"];
    for (const name of [...left, "network.nft"]) writeFileSync(join(paths.bundle, name), "");
    removeBundle(paths);
    assert.deepEqual(readdirSync(paths.bundle), ["network.nft"]);
  });

  it("says that an image's health check is not held, unless nobody wants it", () => {
    const opened = { descriptor: undefined, facts: null, config: { healthcheck: { Test: ["CMD", "true"] } } };
    assert.deepEqual(notHeld(opened as never), ["not held in process: its health check"]);
    assert.deepEqual(notHeld(opened as never, { command: "none" }), []);
    assert.deepEqual(notHeld({ ...opened, config: {} } as never), []);
  });
});

function statOf(path: string): ReturnType<typeof lstatSync> {
  return lstatSync(path, { throwIfNoEntry: false });
}
