// Our ELF reader against binutils' readelf, on the programs and libraries of this host and of the Debian 11 root.
import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ElfFile } from "../../src/formats/elf.ts";
import { readElf } from "../../src/formats/elf.ts";
import { runChecked } from "../../src/host/process.ts";
import { debian11 as bullseye } from "../support/roots.ts";

/** Every nth file of each directory; ELF_SAMPLE=1 compares them all. */
const step = Number(process.env.ELF_SAMPLE ?? 12);

const roots = ["", bullseye].filter((root) => existsSync(`${root}/usr/bin`));

for (const root of roots) {
  for (const directory of ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/bin", "/usr/sbin"]) {
    const path = root + directory;
    if (!existsSync(path) || readdirSync(path).length < 20) continue;
    test(`as readelf: ${path}`, async () => {
      const compared = await compareDirectory(path);
      assert.ok(compared > 0, "no ELF file was compared");
    });
  }
}

async function compareDirectory(directory: string): Promise<number> {
  const files = readdirSync(directory)
    .filter((_, index) => index % step === 0)
    .map((name) => join(directory, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
  let compared = 0;
  for (const path of files) {
    const elf = await readFromDisk(path);
    // Object files have no program headers, by which the loader reads.
    if (elf === undefined || elf.type === "relocatable") continue;
    const what = ["-W", "-h", "-l", "-d", "-V", "-n", "--dyn-syms"];
    const text = await runChecked("readelf", [...what, path], { env: { LC_ALL: "C" } });
    assert.deepEqual(ours(elf), theirs(text), path);
    compared++;
  }
  return compared;
}

async function readFromDisk(path: string): Promise<ElfFile | undefined> {
  const fd = openSync(path, "r");
  try {
    return await readElf((offset, length) => {
      const bytes = Buffer.alloc(length);
      return Promise.resolve(bytes.subarray(0, readSync(fd, bytes, 0, length, offset)));
    });
  } finally {
    closeSync(fd);
  }
}

function ours(elf: ElfFile): Record<string, unknown> {
  return {
    bits: elf.bits,
    interpreter: elf.interpreter,
    needed: elf.needed,
    soname: elf.soname,
    rpath: elf.rpath,
    runpath: elf.runpath,
    isPie: elf.isPie,
    minimumKernel: elf.minimumKernel,
    needs: elf.versionsNeeded.map((need) => `${need.file}: ${need.versions.join(" ")}`),
    defines: elf.versionsDefined,
    imports: [...elf.imports].sort(),
    problems: elf.problems,
  };
}

function theirs(text: string): Record<string, unknown> {
  const all = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1] ?? "");
  const needs: string[] = [];
  const defines: string[] = [];
  for (const line of text.split("\n")) {
    const file = /Version: 1 {2}File: (\S+) {2}Cnt:/.exec(line)?.[1];
    if (file !== undefined) needs.push(`${file}:`);
    const version = /^ {2}\S+: {3}Name: (\S+) {2}Flags: (?!.*WEAK).* Version: \d+$/.exec(line)?.[1];
    if (version !== undefined) needs.push(`${needs.pop() ?? ""} ${version}`);
    const defined = /Rev: 1 {2}Flags: (.*?) Index: \d+ {2}Cnt: \d+ {2}Name: (\S+)/.exec(line);
    if (defined !== null && !(defined[1] ?? "").includes("BASE")) defines.push(defined[2] ?? "");
  }
  return {
    bits: Number(all(/Class:\s+ELF(\d+)/g)[0]),
    interpreter: all(/Requesting program interpreter: ([^\]]+)\]/g)[0],
    needed: all(/\(NEEDED\)\s+Shared library: \[(.*)\]/g),
    soname: all(/\(SONAME\)\s+Library soname: \[(.*)\]/g)[0],
    rpath: all(/\(RPATH\)\s+Library rpath: \[(.*)\]/g)[0],
    runpath: all(/\(RUNPATH\)\s+Library runpath: \[(.*)\]/g)[0],
    isPie: /\(FLAGS_1\).*\bPIE\b/.test(text),
    minimumKernel: all(/OS: Linux, ABI: ([\d.]+)/g)[0],
    needs,
    defines,
    imports: [...new Set(all(/^ +\d+: [0-9a-f]+ +\d+ \w+ +\w+ +\w+ +UND ([^@\s]+)/gm))].sort(),
    problems: [],
  };
}
