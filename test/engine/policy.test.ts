// The engine's reader of policy.bin against the compiler's own model: the same rule for every location, and no damage that it falls for.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import fc from "fast-check";
import { networkRule } from "../../src/redirect/endpoints.ts";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { makeTable, ruleFor } from "../../src/redirect/rules.ts";
import { soaking } from "../support/counts.ts";
import { cannotRun, engine, place, run } from "../support/engine.ts";
import { aRule, enginePolicy } from "../support/engine-policy.ts";

const sources = join(import.meta.dirname, "../../native/engine");
const program = join(place, "policy-query");
const file = join(place, "policy.bin");

const name = fc.constantFrom("a", "b", "ab", "srv", "é", "a-b", "z");
const path = fc.array(name, { maxLength: 4 }).map((names) => `/${names.join("/")}`);
const rule = fc.record({
  from: path,
  to: path,
  mode: fc.constantFrom("full", "read-only", "hide", "host", "write-copy"),
  match: fc.constantFrom("folder", "exact"),
});

describe("policy.bin", { skip: cannotRun }, () => {
  before(() => {
    const flags = [
      "-std=gnu11",
      "-D_GNU_SOURCE",
      "-DENGINE_TEST",
      "-O1",
      "-g",
      "-fsanitize=address,undefined",
      "-fno-sanitize-recover",
    ];
    const files = [
      "test/policy-query.c",
      "policy-table.c",
      "policy-rules.c",
      "network-rules.c",
      "text.c",
    ].map((source) => join(sources, source));
    const made = spawnSync("gcc", [...flags, "-o", program, ...files], { encoding: "utf8" });
    assert.equal(made.status, 0, made.stderr);
  });

  test("every location has the rule that the model gives it", () => {
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 12 }),
        fc.array(path, { minLength: 1, maxLength: 40 }),
        (rules, asked) => {
          const table = makeTable(rules.map((one, index) => aRule(one, index)));
          writeFileSync(file, encodePolicy(enginePolicy({ files: table })));
          const { stdout } = spawnSync(program, [file], { input: `${asked.join("\n")}\n`, encoding: "utf8" });
          const [first, ...answers] = stdout.trimEnd().split("\n");
          assert.match(first ?? "", /^ok /);
          assert.deepEqual(
            answers,
            asked.map((location) => String(ruleFor(table, location)?.declared ?? "-")),
          );
        },
      ),
      { numRuns: soaking ? 5000 : 100 },
    );
  });

  test("clock and names are taken from it", async () => {
    const clock = { mode: "at", nanoseconds: 1_230_768_000_000_000_000n, rate: 1n << 31n } as const;
    writeFileSync(file, encodePolicy(enginePolicy({ clock, node: "box", uname: { release: "2.6.18" } })));
    assert.match(
      spawnSync(program, [file], { encoding: "utf8" }).stdout,
      /^ok box 2\.6\.18 {2}1 1230768000000000000 2147483648\n$/,
    );
    const { stdout } = await run([engine, `--policy=${file}`, "/bin/sh", "-c", "uname -nr; date +%Y"]);
    assert.equal(stdout, "box 2.6.18\n2009\n");
  });

  test("what this engine does not carry out is refused by name", async () => {
    const refused = async (mode: "write-copy" | "merged", match: "folder" | "exact"): Promise<string> => {
      const table = makeTable([aRule({ from: "/a", to: "/b", mode, match }, 0)]);
      writeFileSync(file, encodePolicy(enginePolicy({ files: table })));
      const { status, stderr } = await run([engine, `--policy=${file}`, "--package=/", "/bin/true"]);
      assert.equal(status, 125);
      return stderr;
    };
    assert.match(await refused("merged", "folder"), /the mode merged needs --allow-host: \/a/);
    assert.match(await refused("merged", "exact"), /the mode merged needs --allow-host: \/a/);
    assert.match(
      await refused("write-copy", "folder"),
      /the mode write-copy needs --copies, a directory that can be written \(in a baked image \/\.tranship\/copies\)/,
    );
    assert.equal((await run([engine, "--policy=/no/such", "/bin/true"])).status, 125);
  });

  test("damage is refused, or read within its bounds", () => {
    const files = makeTable(
      ["/a", "/a/b", "/legacy"].map((from, index) =>
        aRule({ from, to: "/srv", mode: "full", match: "folder" }, index),
      ),
    );
    const network = [
      networkRule({ kind: "connect", from: "192.0.2.1:80", to: "127.0.0.1:8080" }, 0),
      networkRule({ kind: "bind", from: "*:80", to: "[::]:8080" }, 1),
    ];
    const clock = { mode: "at", nanoseconds: 1_230_768_000_000_000_000n, rate: 1n << 31n } as const;
    const uname = { release: "2.6.18", machine: "i686" };
    const policy = enginePolicy({ files, network, clock, uname, node: "box" });
    const identity = { ...policy.identity, domain: "corp", macAddress: "02:00:5e:10:20:30" };
    writeFileSync(file, encodePolicy({ ...policy, identity, excludes: ["program", "sh"] }));
    const seed = String(Date.now() % 1_000_000);
    const result = spawnSync(program, [file, soaking ? "50000000" : "60000", seed], { encoding: "utf8" });
    assert.equal(result.status, 0, `seed ${seed}: ${result.stderr}`);
    console.log(`# seed ${seed}: ${result.stdout.trim()}`);
  });
});
