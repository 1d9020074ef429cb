// What is read of dpkg's database on a Debian 11, held against dpkg itself.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { configurationStates } from "../../src/closure/edited.ts";
import { loadInstalled } from "../../src/closure/installed.ts";
import { openMachine } from "../../src/machine/open.ts";
import { debian11, lamp } from "../support/roots.ts";

for (const [name, root] of [
  ["plain", debian11],
  ["with the demo's application", lamp],
] as const) {
  const skip = existsSync(root) ? false : `needs ${root}`;
  test(`every package of a Debian 11 (${name}) has the files that dpkg -L lists`, { skip }, async () => {
    const machine = await openMachine(`rootfs:${root}`);
    try {
      const installed = await loadInstalled(machine.files);
      assert.deepEqual(installed.problems, []);
      const names = installed.all().map((one) => one.name);
      const admin = `--admindir=${root}/var/lib/dpkg`;
      const known = execFileSync("dpkg-query", [admin, "-W", "-f", "${Package}\n"], { encoding: "utf8" });
      assert.deepEqual([...new Set(known.trim().split("\n"))].sort(), names);
      const listed = execFileSync("dpkg-query", [admin, "-L", ...names], {
        encoding: "latin1",
        maxBuffer: 1 << 28,
      });
      const lists = listed.split("\n\n");
      assert.equal(lists.length, names.length);
      let files = 0;
      for (const [i, one] of names.entries()) {
        assert.deepEqual([...installed.filesOf(one)].sort(), listOf(lists[i] ?? "").sort(), one);
        files += installed.filesOf(one).length;
        // By its canonical name too, as /bin is a link to /usr/bin.
        const path = installed.filesOf(one).at(-1) ?? "/";
        const { entry } = await machine.files.resolve(path.slice(0, path.lastIndexOf("/")) || "/");
        if (entry === undefined) continue; // left out when it was installed
        const canonical = `${entry.path === "/" ? "" : entry.path}${path.slice(path.lastIndexOf("/"))}`;
        assert.ok(installed.owner(canonical).includes(one), `${canonical} of ${one}`);
      }
      assert.ok(files > 6000, String(files));
    } finally {
      await machine.close();
    }
  });
}

/** A diverted file stands with its own name, and in the next line with the one that it has. */
function listOf(text: string): string[] {
  const paths: string[] = [];
  for (const line of text.split("\n")) {
    const to = /^(?:locally diverted|diverted by \S+) to: (.*)$/.exec(line)?.[1];
    if (to !== undefined) paths[paths.length - 1] = to;
    else if (line.startsWith("/") && line !== "/.") paths.push(line);
  }
  return paths;
}

test("edited and missing configuration is what dpkg -V tells", {
  skip: existsSync(lamp) ? false : `needs ${lamp}`,
}, async (t) => {
  const base = mkdtempSync(join(tmpdir(), "tranship-conffiles-"));
  t.after(() => rmSync(base, { recursive: true }));
  mkdirSync(join(base, "var/lib"), { recursive: true });
  mkdirSync(join(base, "usr"));
  for (const part of ["etc", "var/lib/dpkg"]) execFileSync("cp", ["-a", join(lamp, part), join(base, part)]);
  appendFileSync(join(base, "etc/debconf.conf"), "# mine\n");
  appendFileSync(join(base, "etc/apache2/envvars"), "export MINE=1\n");
  rmSync(join(base, "etc/apache2/magic"));
  const { stdout } = spawnSync("dpkg", [`--root=${base}`, "-V"], { encoding: "latin1", maxBuffer: 1 << 28 });
  const told = stdout.split("\n").flatMap((line) => {
    const [, state, path] = /^(\S+) +c (\/.*)$/.exec(line) ?? [];
    return path === undefined ? [] : [`${state === "missing" ? "gone" : "edited"} ${path}`];
  });
  const machine = await openMachine(`rootfs:${base}`);
  try {
    const states = await configurationStates(machine.files, await loadInstalled(machine.files));
    assert.ok(states.length > 100, String(states.length));
    const ours = states.filter(({ state }) => state !== "same").map(({ state, path }) => `${state} ${path}`);
    assert.deepEqual(ours.sort(), told.sort());
    for (const line of ["edited /etc/debconf.conf", "edited /etc/apache2/envvars", "gone /etc/apache2/magic"])
      assert.ok(ours.includes(line), line);
  } finally {
    await machine.close();
  }
});
