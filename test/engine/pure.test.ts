// The engine's pure parts, built with sanitizers: known answers, and damaged input.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { soaking } from "../support/counts.ts";
import { cannotRun, place } from "../support/engine.ts";

const sources = join(import.meta.dirname, "../../native/engine");
const parts = ["elf", "script", "site", "options", "text", "filter-run"];

test("readers of programs, scripts, call sites, filters and options hold on any input", {
  skip: cannotRun,
}, () => {
  const program = join(place, "pure");
  const flags = ["-std=gnu11", "-D_GNU_SOURCE", "-DENGINE_TEST", "-O1", "-g", "-fsanitize=address,undefined"];
  const files = [join(sources, "test/pure.c"), ...parts.map((name) => join(sources, `${name}.c`))];
  const made = spawnSync("gcc", [...flags, "-fno-sanitize-recover", "-o", program, ...files], {
    encoding: "utf8",
  });
  assert.equal(made.status, 0, made.stderr);
  const seed = String(Date.now() % 1_000_000);
  const result = spawnSync(program, [soaking ? "20000000" : "50000", seed], { encoding: "utf8" });
  assert.equal(result.status, 0, `seed ${seed}: ${result.stderr}`);
  console.log(`# seed ${seed}: ${result.stdout.split("\n")[0]}`);
});
