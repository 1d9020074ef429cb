// Fills a store on a file system that is too small for it, and tells what became of it: `node full-store.ts ROOT`. Run inside a mount
// namespace in which ROOT is a tmpfs of the size in question.
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { isTranshipError } from "../../src/base/errors.ts";
import { openStateRoot } from "../../src/host/state-root.ts";
import { repairWork } from "../../src/host/work.ts";
import { bakeImage } from "../../src/image/bake.ts";
import { buildImage } from "../../src/image/build.ts";
import { changeDescriptor } from "../../src/image/change-descriptor.ts";
import { writeLayer } from "../../src/image/layer-writer.ts";
import { openStore } from "../../src/image/store.ts";
import { removeUnreferenced } from "../../src/image/store-gc.ts";
import { withSession } from "../../src/image/store-session.ts";
import { ensureLayer } from "../../src/image/unpack.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { silentLog } from "./images.ts";
import { blankEntry } from "./tar.ts";

const [path = ""] = process.argv.slice(2);
const codes: string[] = [];

/** Carries on after a full disk, as the next command of a person would; anything else is a defect. */
async function attempt(what: string, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!isTranshipError(error)) throw error;
    codes.push(`${what} ${error.code}`);
    return false;
  }
}

const random = (name: string, size: number) => {
  const bytes = randomBytes(size);
  return {
    entry: { ...blankEntry, path: `/${name}`, size },
    data: (async function* () {
      yield { offset: 0, bytes };
    })(),
  };
};

const root = openStateRoot(path);
const store = openStore(root);
const acknowledged: string[] = [];
for (let round = 0; round < 8; round++) {
  const reference = `r:${round}`;
  const done = await attempt("build", () =>
    withSession(store, async (session) => {
      const { descriptor, diffId } = await writeLayer([random("a", 90_000), random("b", 30_000)], session);
      const layers = [{ descriptor, diffId, origin: "app" }];
      const more = {
        config: {},
        architecture: "amd64",
        descriptorYaml: `name: ${reference}\n`,
        evidence: reference,
      };
      await buildImage(session, { reference, layers, ...more });
    }),
  );
  if (!done) break;
  acknowledged.push(reference);
}
for (let round = 0; round < 6; round++) {
  const [reference] = acknowledged;
  if (reference === undefined) break;
  const image = store.image(reference);
  await attempt("edit", () =>
    changeDescriptor(store, image, `name: ${"e".repeat(9000)}${round}\n`, reference),
  );
  const yaml = "name: baked\n";
  await attempt("bake", () =>
    bakeImage(store, {
      image,
      name: `baked:${round}`,
      yaml,
      plan: randomBytes(9000),
      policy: undefined,
      config: {},
      withInit: false,
    }),
  );
  await attempt("unpack", () => ensureLayer(root, store, image.layers[0]?.diffId ?? ""));
}
const whole: Record<string, unknown> = {};
for (const { name } of store.names()) {
  const errors = (await verifyImage(store, name, { readData: true })).filter(
    (one) => one.severity === "error",
  );
  if (errors.length > 0) whole[name] = errors.map((one) => one.message);
}
const lost = acknowledged.filter((name) => !store.names().some((one) => one.name === name));
repairWork(root, silentLog);
const left = readdirSync(root.work);
// A disk that is full to its last page holds no new index either: said so, and nothing is lost by it.
const freed = await attempt("free", async () => {
  await removeUnreferenced(store, { log: silentLog });
  for (const { name } of store.names()) await store.untag(name);
  await removeUnreferenced(store, { log: silentLog });
});
const room = await attempt("again", () => withSession(store, (session) => session.put("text/plain", "room")));
console.log(
  JSON.stringify({ acknowledged: acknowledged.length, codes, damaged: whole, lost, left, freed, room }),
);
