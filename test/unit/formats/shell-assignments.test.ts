import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { expandReferences, findConfigurationNames } from "../../../src/formats/configuration-text.ts";
import { readShellAssignments } from "../../../src/formats/shell-assignments.ts";

const script = `#!/bin/sh
# X=/commented
HOME_OF_APP=/opt/app
LIB="$HOME_OF_APP/lib"
LD_LIBRARY_PATH=\${LIB}:'/opt/q uoted':\${UNSET_NAME:-/opt/default}; export LD_LIBRARY_PATH
here=$(dirname "$0")
up=\`dirname $here\`
short=\${0%/*}
[ -n "$up" ] && CLASSPATH="$CLASSPATH:$up/a.jar"
CLASSPATH=$CLASSPATH\${HOME_OF_APP:+:$HOME_OF_APP/b.jar}
ONE=1 TWO="two words" true
if true; then INNER=\\$x; fi
JOINED=a\\
b
`;
const names = [
  "HOME_OF_APP",
  "LIB",
  "LD_LIBRARY_PATH",
  "here",
  "up",
  "short",
  "CLASSPATH",
  "INNER",
  "JOINED",
];

test("assignments of a script are what sh makes of them", () => {
  const { stdout, stderr } = spawnSync(
    "/bin/sh",
    [
      "-c",
      `${script}\nfor n in ${names.join(" ")}; do eval "printf '%s=%s\\n' $n \\"\\$$n\\""; done`,
      "/opt/app/bin/run",
    ],
    { env: { CLASSPATH: "/given.jar" }, encoding: "utf8" },
  );
  assert.equal(stderr, "");
  const told = Object.fromEntries(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
  const ours = new Map(
    readShellAssignments(script, "/opt/app/bin/run", { CLASSPATH: "/given.jar" }).map((one) => [
      one.name,
      one.value,
    ]),
  );
  for (const name of names) assert.equal(ours.get(name), told[name], name);
  assert.equal(ours.get("TWO"), "two words");
  assert.equal(ours.has("X"), false);
});

test("what only a run could tell is unknown, not guessed", () => {
  const value = (text: string) => readShellAssignments(text, "/bin/x").at(-1)?.value;
  assert.equal(value("A=/a:$(find / -name lib):/b"), "/a:\0:/b");
  assert.equal(value("A=$UNGIVEN/lib"), "\0/lib");
  assert.equal(value('A=$(cd "$(dirname "$0")/.." && pwd)/lib'), "/bin/../lib");
  assert.equal(value("A=$(readlink -f $0)"), "/bin/x");
  assert.equal(value("setenv A /csh"), "/csh");
});

test("any text ends, and grows no further than its bound", () => {
  const letters = fc.string({
    unit: fc.constantFrom("A", "=", "$", "{", "}", "(", ")", '"', "'", "`", "\\", "\n", ":", "-", "%"),
    maxLength: 200,
  });
  fc.assert(fc.property(letters, (text) => void readShellAssignments(text, "/x")));
  const doubling = `A=xx\n${"A=$A$A\n".repeat(40)}`;
  assert.ok(readShellAssignments(doubling, "/x").every((one) => one.value.length <= 32 << 10));
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 300 }),
      (text) => void findConfigurationNames(text, 10),
    ),
  );
  const lines = `Define A aa\n${"Define A ${A}${A}\n".repeat(40)}`;
  assert.ok(expandReferences(lines, () => undefined).length < 4 << 20);
});
