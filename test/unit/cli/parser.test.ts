import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../../src/base/errors.ts";
import { flagsOf } from "../../../src/cli/capture/lift.ts";
import { parse } from "../../../src/cli/parser.ts";
import { quickParse } from "../../../src/cli/quick-parser.ts";
import { verbs } from "../../../src/cli/table/verbs.ts";

async function call(...argv: string[]) {
  const parsed = await parse(verbs, argv);
  return { verb: parsed?.verb.name, ...parsed?.call };
}

test("common flags stand before or after the verb", async () => {
  assert.equal((await call("--root", "/a", "ps")).options?.root, "/a");
  assert.equal((await call("ps", "--root", "/b")).options?.root, "/b");
});

test("after the reference everything belongs to the program", async () => {
  const { args, options } = await call("run", "--rm", "shop", "ls", "-la", "--rm");
  assert.deepEqual(args, ["shop", "ls", "-la", "--rm"]);
  assert.equal(options?.rm, true);
});

test("a command after -- keeps its flags, and repeated flags become lists", async () => {
  const { verb, args, options } = await call(
    "capture",
    "run",
    "-t",
    "x",
    "--service",
    "a",
    "--service",
    "b",
    "--",
    "/bin/ls",
    "-t",
  );
  assert.equal(verb, "capture run");
  assert.deepEqual(args, ["/bin/ls", "-t"]);
  assert.deepEqual(options?.service, ["a", "b"]);
  assert.equal(options?.tag, "x");
});

test("rules keep their order across flags, in both readers", async () => {
  const line = "capture run -t x --exclude *.log --filter-from f --include=/srv --exclude /srv/*";
  const expected = ["exclude *.log", "filterFrom f", "include /srv", "exclude /srv/*"];
  assert.deepEqual((await call(...line.split(" "))).options?.filters, expected);
  const quick = quickParse(verbs, line.split(" "))?.call.options ?? {};
  assert.deepEqual(quick.filters, expected);
  assert.deepEqual(flagsOf(quick, ["filters"]), ["--exclude", "*.log", "--filter-from", "f", "--include", "/srv", "--exclude", "/srv/*"]); // biome-ignore format: short
});

test("mistakes are usage errors with a way on", async () => {
  const mistakes: [string[], RegExp][] = [
    [["rnu"], /did you mean run/],
    [["capture"], /capture run/],
    [["run", "--nmae", "x", "shop"], /did you mean --name/],
    [["why", "shop"], /--help/],
    [["capture", "run", "--network", "moon", "--", "x"], /--help/],
  ];
  for (const [argv, hint] of mistakes) {
    await assert.rejects(
      parse(verbs, argv),
      (error) => isTranshipError(error, "E_USAGE") && hint.test(error.hint ?? ""),
      argv.join(" "),
    );
  }
});
