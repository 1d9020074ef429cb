// Many instances: one after the other, all at once, and what each takes of memory; against bare crun, podman and docker.
// `node bench/many-bench.ts [--rounds N] [--sequence N] [--at-once N] [--resident N]`; needs root. In private network and mount namespaces.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { boxAt } from "./box.ts";
import { equalBundles } from "./equal-bundle.ts";
import { interleaved, type Sample, table } from "./measure.ts";
import { startPeers } from "./peers.ts";
import { inPrivate } from "./private.ts";
import { depthOf, processesOf, proportionalSize, treeOf } from "./resident.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    sequence: { type: "string", default: "100" },
    "at-once": { type: "string", default: "50" },
    resident: { type: "string", default: "20" },
  },
});

/** A command by the number of the instance. */
type Start = (number: number) => readonly string[];

interface Tool {
  name: string;
  words: readonly string[];
  image: string;
  /** Of what serves all of its containers. */
  daemon?: number;
}

await inPrivate(async (scratch) => {
  const box = await boxAt(scratch);
  const peers = await startPeers(scratch, box.layer);
  const tools: Tool[] = [{ name: "tranship", words: box.tranship, image: "box:1" }, ...peers];
  try {
    const starts = new Map<string, Start>([
      ["crun, equal bundle", equalBundles({ scratch, ...box }, ["/bin/true"])],
      ...["none", "bridge"].flatMap((network) =>
        tools.map(({ name, words, image }): [string, Start] => {
          const command = [...words, "run", "--rm", "--network", network, image, "/bin/true"];
          return [`${name}, ${network === "none" ? "--network none" : "bridge"}`, () => command];
        }),
      ),
    ]);
    for (const start of starts.values()) {
      const [program = "", ...words] = start(0);
      spawnSync(program, words, { stdio: ["ignore", "ignore", "inherit"] });
    }
    const sequence = Number(values.sequence);
    // The bridge of the peers takes half a minute for each hundred.
    const inRow = new Map([...starts].filter(([name]) => !/^(podman|docker), bridge/.test(name)));
    console.log(`${sequence} in sequence, each:\n\n${timed(scratch, inRow, sequence, false)}\n`);
    const atOnce = Number(values["at-once"]);
    console.log(`${atOnce} at once, all of them:\n\n${timed(scratch, starts, atOnce, true)}\n`);
    console.log(await memory(tools, Number(values.resident)));
  } finally {
    spawnSync("sh", ["-c", '"$@" ps -aq | xargs "$@" rm -f', "sh", ...box.tranship], { stdio: "ignore" });
    for (const peer of peers) await peer.end();
  }
});

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}

/** A failed one fails its script, which is then not counted: the column n tells. */
function timed(scratch: string, starts: ReadonlyMap<string, Start>, count: number, atOnce: boolean): string {
  const ways = new Map<string, readonly string[]>();
  for (const [name, start] of starts) {
    const script = join(scratch, `${atOnce ? "once" : "row"}-${ways.size}`);
    const lines = Array.from({ length: count }, (_, number) =>
      atOnce ? `${quoted(start(number))} & all="$all $!"` : `${quoted(start(number))} || exit 1`,
    );
    const wait = atOnce ? ['for one in $all; do wait "$one" || exit 1; done'] : [];
    writeFileSync(script, `${[...lines, ...wait].join("\n")}\n`);
    ways.set(name, ["sh", script]);
  }
  const samples = interleaved(ways, Number(values.rounds), { warm: false });
  const divided = ([name, list]: [string, Sample[]]): [string, Sample[]] => [
    name,
    list.map(({ wall, cpu }) => (atOnce ? { wall, cpu } : { wall: wall / count, cpu: cpu / count })),
  ];
  return table(new Map([...samples].map(divided)));
}

/** Of all processes that live for an instance, the program's own with them: each share of a page counts as its part. */
async function memory(tools: readonly Tool[], count: number): Promise<string> {
  const rows = [
    `Memory of ${count} idle instances (\`sleep\`, bridge), each: proportional set size of all processes that live for it.`,
    "",
    "| tool | processes each | KiB each | of them the program and its init | shared by all, KiB |",
    "|---|---|---|---|---|",
  ];
  for (const { name, words, image, daemon } of tools) {
    const before = new Set(processesOf(daemon));
    const run = [...words, "run", "-d", image, "sleep", "100000"];
    for (let number = 0; number < count; number++)
      spawnSync(run[0] ?? "", run.slice(1), { stdio: ["ignore", "ignore", "inherit"] });
    // Commands in the background have ended by then.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const all = processesOf(daemon);
    const own = all.filter((pid) => !before.has(pid));
    // A daemon with a pid namespace of its own has its helpers there.
    const outside = depthOf("self") + (daemon === undefined ? 0 : 1);
    const inside = own.filter((pid) => depthOf(pid) > outside);
    const shared = daemon === undefined ? [] : treeOf(daemon).filter((pid) => before.has(pid));
    const each = (pids: readonly number[]): string => (proportionalSize(pids) / count).toFixed(0);
    rows.push(
      `| ${name} | ${(own.length / count).toFixed(1)} | ${each(own)} | ${each(inside)} | ${proportionalSize(shared)} |`,
    );
    spawnSync("sh", ["-c", '"$@" ps -aq | xargs "$@" rm -f', "sh", ...words], { stdio: "ignore" });
  }
  return rows.join("\n");
}
