// Writes images into a store until it is killed: `node store-writer.ts ROOT NAME`. Prints the name of each when it is there.
import { randomBytes } from "node:crypto";
import { openStateRoot } from "../../src/host/state-root.ts";
import { buildImage } from "../../src/image/build.ts";
import { writeLayer } from "../../src/image/layer-writer.ts";
import { openStore } from "../../src/image/store.ts";
import { withSession } from "../../src/image/store-session.ts";
import { blankEntry } from "./tar.ts";

const [root = "", name = "", rounds = "1000000"] = process.argv.slice(2);
const store = openStore(openStateRoot(root));
for (let round = 0; round < Number(rounds); round++) {
  const reference = `${name}:${round}`;
  await withSession(store, async (session) => {
    const bytes = randomBytes(300_000);
    const items = [
      {
        entry: { ...blankEntry, path: "/f", size: bytes.length },
        data: (async function* () {
          yield { offset: 0, bytes };
        })(),
      },
    ];
    const { descriptor, diffId } = await writeLayer(items, session);
    const layers = [{ descriptor, diffId, origin: "app" }];
    const descriptorYaml = `name: ${reference}\n`;
    await buildImage(session, {
      reference,
      layers,
      config: {},
      architecture: "amd64",
      descriptorYaml,
      evidence: reference,
    });
  });
  process.stdout.write(`${reference}\n`);
}
