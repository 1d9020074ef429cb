// The two readers of command lines: whatever the quick one understands, the full one understands in the same way.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parse } from "../../src/cli/parser.ts";
import { quickParse } from "../../src/cli/quick-parser.ts";
import { verbs } from "../../src/cli/table/verbs.ts";

const flags = [...new Set(verbs.flatMap((verb) => (verb.options ?? []).map((one) => one.flags)))].flatMap(
  (text) => text.split(/[ ,]+/).filter((word) => word.startsWith("-")),
);
const common = ["--root", "--log-level", "--log-format", "--no-color", "--no-input", "--yes"];
const words = [
  ...verbs.flatMap((verb) => verb.name.split(" ")),
  ..."-- - --- -1 -5.5 -h --help --nope -z -it -itw -p80:80 -pp --root= --log-level=warn --log-format=xml --name=a=b --tail=".split(
    " ",
  ),
  ...["", "shop", "a b", "x=y", "warn", "json", "-f-", "--no-trunc=1", "--rm=true", "help", "é", "\n"],
];
const word = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...flags) },
  { weight: 1, arbitrary: fc.constantFrom(...common) },
  { weight: 4, arbitrary: fc.constantFrom(...words) },
  { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
);
const verbWords = fc.constantFrom(...verbs.map((verb) => verb.name.split(" ")));
const lines = fc
  .tuple(fc.array(word, { maxLength: 3 }), verbWords, fc.array(word, { maxLength: 7 }))
  .map(([before, verb, after]) => [...(before.length > 1 ? before : []), ...verb, ...after]);

async function compare(argv: readonly string[]): Promise<boolean> {
  const quick = quickParse(verbs, argv);
  if (quick === undefined) return false;
  const full = await parse(verbs, argv);
  assert.equal(quick.verb.name, full?.verb.name);
  assert.deepEqual({ ...quick.call.options }, { ...full?.call.options });
  assert.deepEqual(quick.call.args, full?.call.args);
  return true;
}

test("what the quick parser understands, the full one understands in the same way", async () => {
  let understood = 0;
  await fc.assert(
    fc.asyncProperty(lines, async (argv) => {
      if (await compare(argv)) understood++;
    }),
    { numRuns: 3000 },
  );
  assert.ok(understood > 100, `only ${understood} of 3000 were understood`);
});

test("what is plainly right needs no other parser", async () => {
  const right = [
    "ps",
    "ps -a --format json --no-trunc -f name=x -f label=y",
    "--root /r --log-level=debug ps -aq",
    "run --rm --network none box:1 /bin/true -x -- y",
    "run -d --name shop -p 8080:80 -p8443:443 -e A=1 --env=B=2 -v data:/srv shop",
    "run -itw /srv shop sh -c --help",
    "exec -it shop /bin/sh -l",
    "stop -t 30 a b",
    "kill -s HUP shop",
    "logs -f --tail 20 -t shop",
    "rm -fv shop --yes",
    "wait shop -- -odd",
    "port shop --format=json",
    "internal instance-ended 0123 0",
    "create shop",
    "start shop",
    "capture run -t x --until-port 80 -- /bin/ls -t",
  ];
  for (const line of right) assert.ok(await compare(line.split(" ")), line);
});

test("examples of every verb mean the same to both", async () => {
  let understood = 0;
  for (const example of verbs.flatMap((verb) => verb.examples)) {
    if (/["'|&$\\]/.test(example)) continue;
    if (await compare(example.split(" ").slice(1))) understood++;
  }
  assert.ok(understood > 20, `only ${understood}`);
});
