// Machines with rpm: a database that the rpm of this host makes, read beside rpm itself, and a package lifted by it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { configurationStates } from "../../src/closure/edited.ts";
import { loadInstalled } from "../../src/closure/installed.ts";
import { discover } from "../../src/discover/discover.ts";
import { renderInventory } from "../../src/discover/render.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { openMachine } from "../../src/machine/open.ts";
import { readRpm } from "../../src/machine/rpm.ts";
import { rpmFixtures, rpmFormats, weSay } from "../support/rpm.ts";
import { makeSmallRoot } from "../support/small-root.ts";
import { type Fixture, makeFixture, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? (existsSync("/usr/bin/rpmbuild") ? false : "needs rpm");

const greeter = `
%global _binary_payload w1.gzdio
%global __os_install_post %{nil}
Name: greeter
Version: 1
Release: 1
Summary: Greets
License: Apache-2.0
BuildArch: noarch
Requires: greeter-words
%description
Greets.
%package words
Summary: Words
%description words
Words.
%package other
Summary: Not needed
%description other
Not needed.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/etc/greeter %{buildroot}/usr/share/greeter %{buildroot}/usr/share/other
printf '#!/bin/sh\\n. /etc/greeter/greeter.conf\\ncat /usr/share/greeter/$WORDS\\n' >%{buildroot}/usr/bin/greeter
echo WORDS=hello >%{buildroot}/etc/greeter/greeter.conf
echo hello >%{buildroot}/usr/share/greeter/hello
echo salut >%{buildroot}/usr/share/greeter/salut
echo other >%{buildroot}/usr/share/other/file
%files
%attr(755,root,root) /usr/bin/greeter
%config(noreplace) /etc/greeter/greeter.conf
%files words
/usr/share/greeter
%files other
/usr/share/other
`;

/** Bytes as they are: names may be no UTF-8. */
const rpm = (...words: string[]): string =>
  execFileSync("rpm", words, {
    encoding: "latin1",
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, LC_ALL: "C" },
  });

describe("rpm", { skip, timeout: 300_000 }, () => {
  const base = mkdtempSync(join(tmpdir(), "tranship-rpm-"));
  const root = join(base, "machine");
  let machine: Machine;
  let fixture: Fixture;

  before(async () => {
    makeSmallRoot(root);
    rmSync(join(root, "var/lib/dpkg"), { recursive: true });
    writeFileSync(join(base, "greeter.spec"), greeter);
    for (const spec of [join(rpmFixtures, "shop.spec"), join(base, "greeter.spec")])
      execFileSync(
        "rpmbuild",
        ["-bb", "--quiet", "--define", `_topdir ${base}/build`, "--target", "x86_64", spec],
        {
          stdio: "ignore",
        },
      );
    const made = readdirSync(join(base, "build/RPMS"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".rpm"))
      .map((name) => join(base, "build/RPMS", name));
    mkdirSync(join(root, "var/lib/rpm"), { recursive: true });
    const where = ["--root", root, "--dbpath", "/var/lib/rpm"];
    rpm(...where, "-i", "--nodeps", "--noscripts", "--ignorearch", ...made);
    rpm(...where, "-e", "--nodeps", "--noscripts", "shop-plugin007");
    machine = await openMachine(`rootfs:${root}`);
    fixture = await makeFixture();
  });
  after(async () => {
    await machine.close();
    await fixture.remove();
    rmSync(base, { recursive: true });
  });

  const query = (...words: string[]): string => rpm("--root", root, "--dbpath", "/var/lib/rpm", ...words);
  const lines = (text: string): string[] =>
    [...new Set(text.split("\n").filter((line) => line !== ""))].sort();

  it("packages, files, owners and relations are those of rpm -qa, -ql and -qR", async () => {
    const read = await readRpm(machine.files);
    assert.equal(read?.path, "/var/lib/rpm/rpmdb.sqlite");
    assert.deepEqual(read.problems, []);
    assert.equal(read.packages.length, 125);
    for (const [what, format] of rpmFormats)
      assert.deepEqual(lines(weSay(what, read.packages)), lines(query("-qa", "--qf", format)), what);
    const installed = await loadInstalled(machine.files);
    assert.deepEqual(installed.problems, []);
    for (const { name } of installed.all()) {
      const files = query("-ql", name)
        .split("\n")
        .filter((line) => line.startsWith("/"));
      assert.deepEqual([...installed.filesOf(name)].sort(), files.sort(), name);
    }
    assert.deepEqual(installed.owner("/usr/bin/shop"), ["shop"]);
    assert.deepEqual(installed.depends("shop"), ["shop", "shop-common"]);
    assert.deepEqual(installed.depends("shop-plugin002"), ["shop"]);
  });

  it("discover counts them, assess has nothing to say against them", async () => {
    const inventory = await discover(machine);
    assert.deepEqual([inventory.installed.database, inventory.installed.readable], ["rpm", true]);
    assert.match(renderInventory(inventory), /rpm: 125 \(\/var\/lib\/rpm\/rpmdb\.sqlite\)/);
    const shop = inventory.installed.packages.find((one) => one.name === "shop");
    assert.equal(shop?.version, "2:1.4-3.el9");
    assert.deepEqual(
      inventory.notes.filter((note) => note.text.includes("rpm")),
      [],
    );
  });

  it("capture installed lifts a package with what it requires, and it runs", async () => {
    writeFileSync(join(root, "etc/greeter/greeter.conf"), "WORDS=salut\n");
    // The judge: rpm -V ends with 1 where something differs.
    const { stdout } = spawnSync("rpm", ["--root", root, "--dbpath", "/var/lib/rpm", "-Va"], {
      encoding: "latin1",
    });
    const told = [...stdout.matchAll(/^(?:..5\S* +c (\S+)|missing +c (\S+))$/gm)].map(
      (match) => match[1] ?? match[2],
    );
    const states = await configurationStates(machine.files, await loadInstalled(machine.files));
    const ours = states.filter((one) => one.state !== "same").map((one) => one.path);
    assert.deepEqual(ours.sort(), told.sort());
    assert.deepEqual(ours, ["/etc/greeter/greeter.conf"]);
    assert.equal(states.length, 3);
    const cli = (...words: string[]) => fixture.cli(words);
    const made = await cli(
      "capture",
      "installed",
      "-m",
      `rootfs:${root}`,
      "-t",
      "hi",
      "--cmd",
      "/usr/bin/greeter",
      "greeter",
    );
    assert.equal(made.status, 0, made.stderr);
    assert.deepEqual(await cli("run", "--rm", "hi"), { status: 0, stdout: "salut\n", stderr: "" });
    const why = await cli("why", "hi", "/usr/share/greeter/hello");
    assert.match(why.stdout, /installed package greeter-words, brought in by/);
    const edited = await cli("why", "hi", "/etc/greeter/greeter.conf");
    assert.match(edited.stdout, /edited since greeter 1-1 was installed/);
    assert.match(made.stderr, /1 configuration files edited since installation/);
    assert.equal((await cli("why", "hi", "/usr/share/other/file")).status, 4);
    await fixture.clean();
  });

  it("a damaged database is told by every verb, and packages that are not there are not invented", async () => {
    const file = join(root, "var/lib/rpm/rpmdb.sqlite");
    execFileSync("truncate", ["-s", "200000", file]);
    rmSync(`${file}-wal`, { force: true });
    const inventory = await discover(machine);
    assert.ok(inventory.notes.some((note) => /rpm database: .*(page|index)/.test(note.text)));
    const found = await fixture.cli(["assess", `rootfs:${root}`]);
    assert.ok([0, 3].includes(found.status), found.stderr);
    writeFileSync(file, "SQLite format 3\0nothing");
    const made = await fixture.cli(["capture", "installed", "-m", `rootfs:${root}`, "-t", "hi", "greeter"]);
    assert.match(made.stderr, /E_USAGE\]: no installed package "greeter"/);
    assert.match((await fixture.cli(["assess", `rootfs:${root}`])).stdout, /rpm database cannot be read/);
  });
});
