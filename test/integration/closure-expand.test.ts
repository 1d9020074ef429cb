// Expansions of real systems: what was expanded runs in an empty root with nothing else, and is closed by verifyClosure.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Expansion } from "../../src/closure/expand.ts";
import { expand } from "../../src/closure/expand.ts";
import { verifyClosure } from "../../src/closure/verify.ts";
import { openMachine } from "../../src/machine/open.ts";
import { debian11 as bullseye } from "../support/roots.ts";

const roots = ["/", bullseye].filter((root) => existsSync(join(root, "usr/bin/perl")));
const needsRoot = process.getuid?.() === 0 ? false : "chroot needs root";

async function expandOn(root: string, paths: readonly string[]): Promise<Expansion> {
  const machine = await openMachine(`rootfs:${root}`);
  try {
    const seeds = paths.map((path) => ({ path, reason: { kind: "traced" as const, detail: "exec" } }));
    const expansion = await expand(machine.files, seeds);
    const findings = await verifyClosure({
      paths: expansion.paths.keys(),
      entry: (path) => expansion.entries.get(path),
      readRange: (path, offset, length) => machine.files.readRange(path, offset, length),
    });
    const open = findings.filter((one) => one.kind === "library" || one.kind === "interpreter");
    const known = new Set(expansion.missing.map((one) => `${one.reason.from} ${one.path}`));
    assert.deepEqual(
      open.filter((one) => !known.has(`${one.path} ${one.wants}`)),
      [],
    );
    return expansion;
  } finally {
    await machine.close();
  }
}

/** Copies exactly the expansion; nothing else is in the new root. */
function inEmptyRoot(root: string, expansion: Expansion, work: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "closure-root-"));
  try {
    const list = [...expansion.paths.keys()].map((path) => (path === "/" ? "." : `.${path}`)).join("\0");
    const pack = ["--null", "--no-recursion", "--verbatim-files-from", "-C", root, "-cf", "-", "-T", "-"];
    const packed = spawnSync("tar", pack, { input: Buffer.from(list, "latin1"), maxBuffer: 1 << 30 });
    assert.equal(packed.status, 0, packed.stderr.toString());
    const unpacked = spawnSync("tar", ["-C", directory, "-xpf", "-"], { input: packed.stdout });
    assert.equal(unpacked.status, 0, unpacked.stderr.toString());
    writeFileSync(join(directory, "dev/null"), ""); // the runtime gives /dev
    work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function inChroot(directory: string, ...command: string[]): string {
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", TZ: "Asia/Tokyo", LC_ALL: "C.UTF-8" };
  const result = spawnSync("chroot", [directory, ...command], { env, encoding: "utf8" });
  assert.equal(result.status, 0, `${command.join(" ")}: ${result.stderr}`);
  return result.stdout.trim();
}

for (const root of roots) {
  test(`bash and perl of ${root} run in an empty root`, { skip: needsRoot }, async () => {
    const expansion = await expandOn(root, ["/bin/bash", "/usr/bin/perl"]);
    assert.deepEqual(expansion.missing, []);
    inEmptyRoot(root, expansion, (directory) => {
      assert.equal(inChroot(directory, "/bin/bash", "-c", "echo $((6 * 7)) | sed s/4/x/ | grep -c x2"), "1");
      // Never touched by a trace: time zone, user names, locale, name services, modules. The original is the judge.
      const perl =
        "use POSIX; use IO::Socket; print setlocale(LC_ALL, ''), ' ', (getpwnam('root'))[7], ' ', unpack('H*', inet_aton('localhost') // '')";
      for (const command of [
        [
          "/bin/bash",
          "-c",
          "date -d @0; getent passwd root; getent services http; find --version; awk 'BEGIN { print 1 }'",
        ],
        ["/usr/bin/perl", "-e", perl],
      ]) {
        assert.equal(inChroot(directory, ...command), inChroot(root, ...command));
      }
    });
  });

  test(`nothing forbidden is in the expansion of ${root}`, async () => {
    const expansion = await expandOn(root, [
      "/bin/bash",
      "/boot",
      "/etc/shells",
      "/proc/self/maps",
      "/etc/hostname",
    ]);
    const paths = [...expansion.paths.keys()];
    const below = (directory: string): string[] => paths.filter((path) => path.startsWith(`${directory}/`));
    for (const directory of [
      "/proc",
      "/sys",
      "/dev",
      "/boot",
      "/usr/lib/modules",
      "/lib/modules",
      "/var/cache/apt",
    ]) {
      assert.deepEqual(below(directory), [], directory);
    }
    assert.ok(!paths.includes("/etc/shadow"));
    assert.ok(expansion.candidates.some((one) => one.path === "/etc/shadow" && one.because === "secret"));
    for (const path of ["/proc", "/dev", "/tmp", "/etc/passwd"]) assert.ok(paths.includes(path), path);
    for (const path of paths) {
      const parent = path === "/" ? "/" : path.slice(0, path.lastIndexOf("/")) || "/";
      assert.ok(expansion.paths.has(parent), `parent of ${path}`);
    }
    assert.deepEqual(paths, [...paths].sort());
  });
}

test("the same machine and seeds give the same expansion", async () => {
  const root = roots.at(-1) ?? "/";
  const [one, two] = [await expandOn(root, ["/usr/bin/perl"]), await expandOn(root, ["/usr/bin/perl"])];
  assert.deepEqual([...one.paths], [...two.paths]);
  assert.deepEqual(one.candidates, two.candidates);
});
