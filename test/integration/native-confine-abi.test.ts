// --confine under older kernels: each version of Landlock gets what it knows, and nothing that it would refuse. The kernel's part is native/supervise/test/landlock.c.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

const native = join(import.meta.dirname, "../../native");

describe("versions of Landlock", () => {
  let place: string;
  before(() => {
    place = mkdtempSync(join(tmpdir(), "tranship-landlock-"));
    mkdirSync(join(place, "tree"));
    writeFileSync(join(place, "file"), "");
    const lines = ["caps 3fffffffff", "scope signals", "scope sockets", `list ${place}/tree`];
    for (const word of ["look", "read", "write", "device"])
      lines.push(`${word} ${place}/tree`, `${word} ${place}/file`, `${word} ${place}/none`);
    writeFileSync(join(place, "rules"), lines.map((line) => `${line}\0`).join(""));
    writeFileSync(join(place, "filter"), Buffer.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]));
    const sources = ["supervise/test/landlock.c", "supervise/confine.c", "supervise/read.c", "common/die.c"];
    const made = spawnSync(
      "gcc",
      [
        ...["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Werror", `-I${native}/common`],
        ...["-o", join(place, "landlock"), ...sources.map((name) => join(native, name))],
      ],
      { encoding: "utf8" },
    );
    assert.equal(made.status, 0, made.stderr);
  });
  after(() => rmSync(place, { recursive: true, force: true }));

  const ask = (abi: number): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(
      join(place, "landlock"),
      [String(abi), ...["rules", "filter"].map((name) => join(place, name))],
      {
        encoding: "utf8",
      },
    );

  it("are asked for the rights and scopes that they have", () => {
    const rights = ["1fff", "3fff", "7fff", "7fff", "ffff", "ffff", "ffff", "ffff"];
    for (const [n, fs] of rights.entries()) {
      const { status, stdout, stderr } = ask(n + 1);
      assert.deepEqual([status, stderr], [0, ""], `version ${n + 1}`);
      assert.equal(stdout, `${fs} ${n + 1 >= 6 ? "3" : "0"} 9\n`, `version ${n + 1}`);
    }
  });

  it("are missed where there is none", () => {
    const { status, stderr } = ask(0);
    assert.equal(status, 125);
    assert.match(stderr, /--confine: this kernel has no Landlock/);
  });
});
