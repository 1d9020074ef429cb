import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTranshipError } from "../../../src/base/errors.ts";
import { filterOf, parseFilterFile, parsePattern } from "../../../src/capture/plan/filters.ts";
import { pathPattern } from "../../../src/formats/path-pattern.ts";

const fits = (pattern: string, path: string, isDirectory = false): boolean =>
  pathPattern(pattern)?.fits(path, isDirectory) ?? false;

test("patterns: anchored or not, stars, classes, directories", () => {
  const yes = [
    ["/srv/*/conf", "/srv/a/conf"],
    ["*.log", "/var/log/x.log"],
    ["log/*.1", "/var/log/x.1"],
    ["/opt/**/x.so", "/opt/a/b/x.so"],
    ["**/x.so", "/opt/a/x.so"],
    ["file-[0-9]", "/a/file-3"],
    ["a\\*b", "/a*b"],
    ["a\\b", "/a\\b"],
    ["\\xff*", "/\xff1"],
  ];
  for (const [pattern = "", path = ""] of yes)
    assert.ok(parsePattern(pattern, "").fits(path, false), pattern);
  const no = [
    ["/srv/*/conf", "/srv/a/b/conf"],
    ["/conf", "/etc/conf"],
    ["x/", "/a/x"],
    ["log/*.1", "/x.1"],
    ["[!a]", "/a"],
    ["a?b", "/a/b"],
  ];
  for (const [pattern = "", path = ""] of no) assert.ok(!fits(pattern, path), pattern);
  assert.ok(fits("x/", "/a/x", true));
  assert.ok(fits("/a/***", "/a", true) && fits("/a/***", "/a/b/c") && !fits("/a/**", "/a", true));
  assert.equal(pathPattern("/srv/*/conf")?.base, "/srv");
  assert.equal(pathPattern("/srv/shop/")?.base, "/srv/shop");
  assert.equal(pathPattern("/*")?.base, "/");
  assert.equal(pathPattern("*.log")?.base, "/");
  for (const nothing of ["", "/", "x".repeat(5000)]) assert.equal(pathPattern(nothing), undefined);
});

test("no pattern and no path make the compiler fail", () => {
  const bytes = fc.string({ unit: fc.constantFrom(..."ab/*?[]!^-\\:.(){}+$|\n\xff"), maxLength: 12 });
  fc.assert(
    fc.property(bytes, bytes, fc.boolean(), (pattern, path, isDirectory) => {
      assert.equal(typeof fits(pattern, `/${path}`, isDirectory), "boolean");
    }),
    { numRuns: 500 },
  );
});

test("the first rule that fits decides; below what is left out nothing stays", () => {
  const leftOut = filterOf(
    parseFilterFile("# logs\n+ keep.log\n- *.log\n- /srv/old\n+ /srv/old/a\n", "rules"),
  );
  assert.equal(leftOut("/var/keep.log", false), undefined);
  assert.equal(leftOut("/var/x.log", false), "- *.log (rules)");
  assert.equal(leftOut("/srv/old", true), "- /srv/old (rules)");
  assert.equal(leftOut("/srv/old/a", false), "- /srv/old (rules)");
  assert.equal(leftOut("/srv/older", false), undefined);
  assert.equal(leftOut("/", true), undefined);
});

test("a file of rules is told by its line", () => {
  for (const text of ["- a\n*.log\n", "- a\n+a\n", "- a\n- \n", "- a\n- /\n", "- a\n! \n"])
    assert.throws(
      () => parseFilterFile(text, "rules.txt"),
      (error) => isTranshipError(error, "E_USAGE") && error.message.startsWith("rules.txt:2: "),
    );
});

test("a class that is not closed is an error where a person typed it, and fits nothing in a file of rules", () => {
  for (const broken of ["[", "a[b", "*.log\\"]) {
    assert.throws(() => parsePattern(broken, "--exclude"), /--exclude: the pattern .* can fit nothing/);
    assert.equal(parseFilterFile(`- ${broken}\n`, "rules").length, 1);
  }
});
