// Parsers of hostile files: any bytes, and damaged versions of good files, give a value, never an exception, in bounded time.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { matchesPattern } from "../../src/closure/glob.ts";
import {
  parseDpkgAlternative, parseDpkgDiversions, parseDpkgList, parseDpkgMd5sums, parseDpkgStatus, parseRelations,
} from "../../src/formats/dpkg.ts"; // biome-ignore format: short
import { readElfBytes } from "../../src/formats/elf.ts";
import { parseLdSoCache } from "../../src/formats/ld-so-cache.ts";
import { parseLdSoConf } from "../../src/formats/ld-so-conf.ts";
import { parseNsswitch } from "../../src/formats/nsswitch.ts";
import { parseGroup, parsePasswd } from "../../src/formats/passwd.ts";
import { parseShebang } from "../../src/formats/shebang.ts";
import { findPathStrings } from "../../src/formats/strings.ts";
import { buildElf } from "../support/elf-builder.ts";

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 400 }),
  fc
    .array(
      fc.constantFrom(
        "Package: a",
        "Status: install ok installed",
        " x",
        "",
        "/a",
        ":",
        "auto",
        "a:b",
        "|,(",
      ),
      { maxLength: 40 },
    )
    .map((lines) => lines.join("\n")),
);

test("text parsers take any text", () => {
  fc.assert(
    fc.property(text, (value) => {
      parseDpkgStatus(value);
      parseDpkgAlternative("x", value);
      parseDpkgDiversions(value);
      parseDpkgMd5sums(value);
      parseRelations(value);
      parseLdSoConf(value);
      parseNsswitch(value);
      parsePasswd(value);
      parseGroup(value);
      for (const path of parseDpkgList(value)) assert.ok(path.startsWith("/"));
    }),
  );
});

test("byte parsers take any bytes", () => {
  const magic = fc.constantFrom(
    "",
    "\x7fELF\x02\x01",
    "\x7fELF\x01\x02",
    "#!",
    "ld.so-1.7.0\0",
    "glibc-ld.so.cache1.1",
  );
  fc.assert(
    fc.asyncProperty(magic, fc.uint8Array({ maxLength: 600 }), async (head, rest) => {
      const bytes = Buffer.concat([Buffer.from(head, "latin1"), rest]);
      await readElfBytes(bytes);
      parseShebang(bytes);
      const { entries } = parseLdSoCache(bytes);
      assert.ok(entries.every((entry) => entry.path.startsWith("/")));
      findPathStrings(bytes);
    }),
  );
});

test("an ELF file with any bytes changed is read to an end", async () => {
  const good = buildElf({
    interpreter: "/lib/ld.so",
    needed: ["libc.so.6"],
    imports: ["dlopen"],
    soname: "x.so",
  });
  const change = fc.tuple(
    fc.oneof(fc.nat(256), fc.integer({ min: 1024, max: 1200 }), fc.nat(4200)),
    fc.nat(255),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 20 }),
      fc.nat(8192),
      async (changes, size) => {
        const bytes = good.slice(0, size % 3 === 0 ? size : good.length);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        const elf = await readElfBytes(bytes);
        assert.ok(elf === undefined || elf.needed.length < 70_000);
      },
    ),
    { numRuns: 500 },
  );
});

test("what was built is read back", async () => {
  const name = fc.stringMatching(/^[a-z0-9._-]{1,20}$/);
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        bits: fc.constantFrom(32 as const, 64 as const),
        endian: fc.constantFrom("little" as const, "big" as const),
        needed: fc.array(name, { maxLength: 10 }),
        imports: fc.array(name, { maxLength: 10 }),
        runpath: name,
      }),
      async (parts) => {
        const elf = await readElfBytes(buildElf(parts));
        assert.deepEqual(elf?.needed, parts.needed);
        assert.deepEqual([...(elf?.imports ?? [])], [...new Set(parts.imports)]);
        assert.equal(elf?.runpath, parts.runpath);
        assert.deepEqual(elf?.problems, []);
      },
    ),
  );
});

test("patterns match as their regular expression does", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", ".", "*", "?"), maxLength: 6 });
  fc.assert(
    fc.property(letters, pattern, (value, glob) => {
      const expression = new RegExp(
        `^${glob.replace(/\./g, "\\.").replace(/\*/g, ".*").replace(/\?/g, ".")}$`,
      );
      assert.equal(matchesPattern(value, glob), expression.test(value));
    }),
  );
});
