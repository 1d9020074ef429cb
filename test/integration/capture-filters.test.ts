// Rules of --include, --exclude and --filter-from, with rsync as the judge: the same rules on the same tree leave the same paths.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { filterOf, parseFilterFile } from "../../src/capture/plan/filters.ts";
import { soaking } from "../support/counts.ts";

const skip = existsSync("/usr/bin/rsync") ? false : "needs rsync";

const name = fc
  .oneof(
    fc.constantFrom(
      "a",
      "b",
      "ab",
      "a.log",
      "b.log",
      "log",
      "x-1",
      "x_2",
      "a]b",
      "a[b",
      "a*b",
      "a\\b",
      "A",
      "9",
      "a b",
    ),
    fc.string({ unit: fc.constantFrom(..."ab.-_[]*?\\!^1 "), minLength: 1, maxLength: 4 }),
  )
  .filter((one) => one !== "." && one !== ".." && one.trim() === one);
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));

const classes = [
  "[ab]",
  "[!a]",
  "[^b]",
  "[a-c]",
  "[]a]",
  "[[:digit:]]",
  "[[:alpha:]_]",
  "[a",
  "[[:no:]]",
  "[c-a]",
  "[\\]]",
  "[a-]",
  "[*]",
];
const piece = fc.oneof(
  { weight: 4, arbitrary: name },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "*",
      "?",
      "**",
      "***",
      "*.log",
      "a*",
      "?b",
      "**b",
      "\\*",
      "\\a",
      "\\\\",
      "a\\",
    ),
  },
  { weight: 2, arbitrary: fc.constantFrom(...classes) },
);
const pattern = fc
  .record({
    anchored: fc.boolean(),
    parts: fc.array(
      fc.array(piece, { minLength: 1, maxLength: 2 }).map((all) => all.join("")),
      { minLength: 1, maxLength: 4 },
    ),
    end: fc.constantFrom("", "", "", "/", "/***", "/**"),
  })
  .map(({ anchored, parts, end }) => `${anchored ? "/" : ""}${parts.join("/")}${end}`)
  .filter((one) => !/^\s|\s$|^$/.test(one));
const rule = fc.record({ keep: fc.boolean(), pattern });

/** The names of rsync's dry run, without a slash at the end. */
function byRsync(directory: string, rules: string): string[] {
  const file = join(directory, "rules");
  writeFileSync(file, rules);
  const words = [
    "-rn",
    "-8",
    "--out-format=%n",
    `--filter=merge ${file}`,
    `${directory}/tree/`,
    `${directory}/none/`,
  ];
  const told = execFileSync("rsync", words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const names = told.split("\n").map((line) => line.replace(/\/$/, ""));
  return names.filter((line) => line !== "" && line !== "." && !line.startsWith("created directory")).sort();
}

function byUs(paths: ReadonlyMap<string, boolean>, rules: string): string[] {
  const leftOut = filterOf(parseFilterFile(rules, "rules"));
  return [...paths]
    .filter(([one, isDirectory]) => leftOut(`/${one}`, isDirectory) === undefined)
    .map(([one]) => one)
    .sort();
}

test("rules leave the same paths as rsync's", { skip }, () => {
  const cases = fc.record({
    files: fc.array(path, { minLength: 1, maxLength: 12 }),
    rules: fc.array(rule, { minLength: 1, maxLength: 5 }),
  });
  const base = mkdtempSync(join(tmpdir(), "tranship-filters-"));
  try {
    fc.assert(
      fc.property(cases, ({ files, rules }) => {
        rmSync(join(base, "tree"), { recursive: true, force: true });
        const paths = new Map<string, boolean>();
        for (const file of files) {
          const whole = join(base, "tree", file);
          const parents = file
            .split("/")
            .map((_, index, parts) => parts.slice(0, index).join("/"))
            .slice(1);
          if (paths.has(file) || parents.some((one) => paths.get(one) === false)) continue;
          mkdirSync(dirname(whole), { recursive: true });
          writeFileSync(whole, "");
          for (const one of parents) paths.set(one, true);
          paths.set(file, false);
        }
        mkdirSync(join(base, "tree"), { recursive: true });
        const text = rules.map(({ keep, pattern: body }) => `${keep ? "+" : "-"} ${body}\n`).join("");
        assert.deepEqual(byUs(paths, text), byRsync(base, text), text);
      }),
      { numRuns: soaking ? 1500 : 40 },
    );
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});
