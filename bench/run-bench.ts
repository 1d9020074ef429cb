// `run --rm REF /bin/true`, built form, against bare crun with an equal bundle, podman, docker, bwrap and systemd-nspawn.
// `node bench/run-bench.ts [--rounds N] [--json FILE]`; needs root. All of it runs in private network and mount namespaces.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { boxAt } from "./box.ts";
import { equalBundles } from "./equal-bundle.ts";
import { type Goal, interleaved, table } from "./measure.ts";
import { nspawnWay, startPeers } from "./peers.ts";
import { inPrivate } from "./private.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "25" }, json: { type: "string" } },
});

/** What the figures are held against. */
const goals: readonly Goal[] = ["bridge", "--network none"].flatMap((network): Goal[] => {
  const way = `tranship run, ${network}`;
  const podman = `podman run, --network ${network === "bridge" ? "bridge" : "none"}`;
  return [
    {
      way,
      against: "podman",
      value: (wall) => wall(way) / wall(podman),
      most: network === "bridge" ? 0.33 : 0.4,
    },
    {
      way,
      against: "crun, less bare node",
      value: (wall) => (wall(way) - wall("bare node")) / wall("crun, equal bundle"),
      most: 1.3,
    },
  ];
});

await inPrivate(async (scratch) => {
  const box = await boxAt(scratch);
  const run = [...box.tranship, "run", "--rm"];
  const peers = await startPeers(scratch, box.layer);
  try {
    const nspawn = nspawnWay(scratch, box.layer, ["/bin/true"]);
    const bwrap = ["bwrap", "--unshare-all", "--bind", box.layer, "/", "--proc", "/proc", "--dev", "/dev"];
    const ways = new Map<string, readonly string[]>([
      ["crun, equal bundle", equalBundles({ scratch, ...box }, ["/bin/true"])()],
      ["bare node", [box.node, "-e", "0"]],
      ["tranship run, bridge", [...run, "box:1", "/bin/true"]],
      ["tranship run, --network none", [...run, "--network", "none", "box:1", "/bin/true"]],
      ["bwrap", [...bwrap, "/bin/true"]],
      ...(nspawn === undefined ? [] : [["systemd-nspawn", nspawn] as const]),
      ...peers.flatMap(({ name, words, image }) =>
        ["none", "bridge"].map((network) => {
          const command = [...words, "run", "--rm", "--network", network, image, "/bin/true"];
          return [`${name} run, --network ${network}`, command] as const;
        }),
      ),
    ]);
    for (const [name, command] of ways) {
      const first = spawnSync(command[0] ?? "", command.slice(1), { encoding: "utf8" });
      if (first.status !== 0) console.error(`bench: ${name} ended with ${first.status}: ${first.stderr}`);
    }
    const samples = interleaved(ways, Number(values.rounds));
    console.log(table(samples, goals));
    console.log("\nThe processor time of docker's daemon is not in its rows.");
    if (values.json !== undefined)
      writeFileSync(values.json, `${JSON.stringify(Object.fromEntries(samples), null, 2)}\n`);
  } finally {
    for (const peer of peers) await peer.end();
  }
});
