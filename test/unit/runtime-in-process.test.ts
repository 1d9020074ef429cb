// Instances in process, as far as files and values say: the policy of one, what its log of redirections tells, what is not held.
import assert from "node:assert/strict";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ruleFor } from "../../src/redirect/rules.ts";
import { buildCopies } from "../../src/runtime/inprocess/copies.ts";
import { instancePolicy } from "../../src/runtime/inprocess/policy.ts";
import { type InstanceRecord, pathsIn } from "../../src/runtime/record.ts";

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
      const { files } = instancePolicy({ record, paths });
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
});

function statOf(path: string): ReturnType<typeof lstatSync> {
  return lstatSync(path, { throwIfNoEntry: false });
}
