// `ps` and `exec` with instances that run, built form, against podman and docker; the start of a bare Node is shown apart.
// `node bench/hot-bench.ts [--rounds N] [--instances N]`; needs root. All of it runs in private network and mount namespaces.
import { execFileSync, spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { boxAt } from "./box.ts";
import { type Goal, interleaved, table } from "./measure.ts";
import { startPeers } from "./peers.ts";
import { inPrivate } from "./private.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "25" }, instances: { type: "string", default: "10" } },
});

const verbs: Readonly<Record<string, readonly string[]>> = {
  ps: ["ps"],
  exec: ["exec", "box0", "/bin/true"],
};

/** Not slower than the peer: as it is, and less what Node takes before it reads a line of ours. */
const goals: readonly Goal[] = Object.keys(verbs).flatMap((verb) =>
  ["podman", "docker"].flatMap((peer): Goal[] => {
    const way = `tranship ${verb}`;
    return [
      { way, against: peer, value: (wall) => wall(way) / wall(`${peer} ${verb}`), most: 1 },
      {
        way,
        against: `${peer}, less bare node`,
        value: (wall) => (wall(way) - wall("bare node")) / wall(`${peer} ${verb}`),
        most: 1,
      },
    ];
  }),
);

await inPrivate(async (scratch) => {
  const box = await boxAt(scratch);
  const peers = await startPeers(scratch, box.layer);
  const tools = [{ name: "tranship", words: box.tranship, image: "box:1" }, ...peers];
  try {
    for (let number = 0; number < Number(values.instances); number++)
      for (const { words, image } of tools)
        execFileSync(
          words[0] ?? "",
          [
            ...words.slice(1),
            "run",
            "-d",
            "--network",
            "none",
            "--name",
            `box${number}`,
            image,
            "sleep",
            "100000",
          ],
          { stdio: ["ignore", "ignore", "inherit"] },
        );
    const ways = new Map<string, readonly string[]>([
      ["bare node", [box.node, "-e", "0"]],
      ...Object.entries(verbs).flatMap(([verb, args]) =>
        tools.map(({ name, words }): [string, string[]] => [`${name} ${verb}`, [...words, ...args]]),
      ),
    ]);
    console.log(`${values.instances} running instances of each.\n`);
    console.log(table(interleaved(ways, Number(values.rounds)), goals));
    console.log("\nThe processor time of docker's daemon is not in its rows.");
  } finally {
    spawnSync("sh", ["-c", '"$@" ps -aq | xargs "$@" rm -f', "sh", ...box.tranship], { stdio: "ignore" });
    for (const peer of peers) await peer.end();
  }
});
