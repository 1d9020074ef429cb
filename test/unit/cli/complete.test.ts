import assert from "node:assert/strict";
import { test } from "node:test";
import { complete } from "../../../src/cli/completion/complete.ts";
import { verbs } from "../../../src/cli/table/verbs.ts";

const words = (...line: string[]): string[] => complete(verbs, line).candidates.map(({ word }) => word);
const kinds = (...line: string[]): readonly string[] => complete(verbs, line).kinds;

test("first words, second words, and nothing that help does not show", () => {
  assert.ok(words("ru").includes("run"));
  assert.deepEqual(words("image", ""), ["history", "diff"]);
  assert.deepEqual(words("capture", "m"), ["machine"]);
  assert.deepEqual(words("inter"), []);
  assert.deepEqual(words("internal", ""), []);
  assert.deepEqual(words("no-such", ""), []);
});

test("flags of the verb and of every verb, and their values", () => {
  assert.deepEqual(words("run", "--mac-"), ["--mac-address"]);
  assert.deepEqual(words("ps", "--root"), ["--root"]);
  assert.deepEqual(words("run", "--engine", ""), ["namespace", "inprocess", "auto"]);
  assert.deepEqual(words("--log-level", "w"), ["warn"]);
  const equals = complete(verbs, ["run", "--restart=o"]);
  assert.deepEqual(
    [equals.before, equals.typed, equals.candidates.map(({ word }) => word)],
    ["--restart=", "o", ["on-failure"]],
  );
  assert.deepEqual(kinds("run", "--network", ""), ["network"]);
  assert.deepEqual(kinds("--root", ""), ["directory"]);
  assert.deepEqual(words("run", "--no-such-flag=x", "--rm", "--hel"), []);
});

test("operands by their place, whatever stands between them", () => {
  assert.deepEqual(kinds("run", ""), ["image"]);
  assert.deepEqual(kinds("run", "-p", "80:80", "--rm", "--name=x", ""), ["image"]);
  assert.deepEqual(kinds("tag", "shop", ""), []);
  assert.deepEqual(kinds("network", "connect", ""), ["network"]);
  assert.deepEqual(kinds("network", "connect", "net", ""), ["instance"]);
  assert.deepEqual(kinds("network", "connect", "net", "one", ""), []);
  assert.deepEqual(kinds("rm", "one", "two", ""), ["instance"]);
  assert.deepEqual(kinds("start", ""), ["stopped"]);
  assert.deepEqual(kinds("exec", "-it", ""), ["running"]);
  assert.deepEqual(kinds("plan", "diff", "a.json", ""), ["file"]);
  assert.deepEqual(kinds("doctor", ""), []);
});

test("what belongs to the program is not ours", () => {
  assert.deepEqual(words("exec", "shop", "--vers"), []);
  assert.deepEqual(kinds("exec", "shop", "ls", "-"), ["file"]);
  assert.deepEqual(words("rm", "--", "--forc"), []);
  assert.deepEqual(kinds("rm", "--", "-"), ["instance"]);
});

test("where state lives, before or after the verb: the last one counts", () => {
  assert.deepEqual(complete(verbs, ["--root", "/a", "ps", "--root=/b", ""]).roots, ["/a", "/b"]);
});

test("any words at all have an answer", () => {
  for (const line of [
    [],
    [""],
    ["-"],
    ["--"],
    ["--="],
    ["run", "--="],
    ["--root"],
    ["--", "--", ""],
    ["\0", "__proto__", ""],
  ])
    assert.ok(Array.isArray(complete(verbs, line).candidates));
});

test("each name of an operand in the table is known, or is one that nothing completes", () => {
  const free =
    /^(CMD|INSTALLER|NAME|NEW|PATH|PORT|OPTIONS|DESTINATION|REGISTRY|URL\|MACHINE|TASK|CLUSTER|REF|SHELL|WORDS|show)$/;
  for (const verb of verbs.filter((one) => one.hidden !== true))
    for (const [index, { name }] of (verb.arguments ?? []).entries()) {
      const before = Array<string>(index).fill("x");
      const found = kinds(...verb.name.split(" "), ...before, "");
      const bare = name.replace(/^[[<]|[\]>]$/g, "").replace(/\.\.\.$/, "");
      assert.ok(
        found.length > 0 ||
          free.test(bare) ||
          verb.name === "network create" ||
          verb.name === "volume create",
        `${verb.name} ${name}`,
      );
    }
});
