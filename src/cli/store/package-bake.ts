// tranship package bake: the descriptor that counts goes into a small layer on top, for platforms that run the image alone.
import { formatSize } from "../../base/units.ts";
import { bakeImage } from "../../image/bake.ts";
import { treeOfImage } from "../../image/merged-tree.ts";
import { compileDescriptor } from "../../package/compiled.ts";
import { changedConfig } from "../../package/container-config.ts";
import { decodeInitPlan } from "../../package/init-codec.ts";
import { compilePolicy, isPlain } from "../../redirect/policy.ts";
import { encodePolicy } from "../../redirect/policy-codec.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { nameFor, packagedOf, readGiven } from "./packaged.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [reference = ""] = call.args;
  const file = text(call.options, "descriptor");
  const packaged = packagedOf(context, reference, file !== undefined);
  const { store, image } = packaged;
  const name = nameFor(packaged, reference, text(call.options, "tag"));
  const yaml = file === undefined ? packaged.text : readGiven(file);
  const { descriptor, plan } = compileDescriptor(yaml, file ?? reference);
  const compiled = compilePolicy({ descriptor, identity: descriptor.identity });
  const policy = isPlain(compiled) ? undefined : encodePolicy(compiled);
  const tree = await treeOfImage(store, image, { [insidePlan]: 4 << 20, [insidePolicy]: 4 << 20 });
  const inside = tree.textOf(insidePlan);
  const withInit = tree.at("/.tranship/init")?.entry.kind !== "file";
  const changed =
    withInit || inside === undefined || !same(inside, plan) || !same(tree.textOf(insidePolicy), policy);
  const dryRun = flag(call.options, "dryRun");
  const format = text(call.options, "format");
  const forPeople = format === undefined || format === "table";
  if (!changed || dryRun) {
    const words = changed
      ? `would bake ${reference} into ${name}`
      : "the image holds this descriptor already";
    context.print(
      forPeople
        ? words
        : printValue({ name, changed, dryRun, imageDigest: image.manifestDescriptor.digest }, format),
    );
    return;
  }
  const before = inside === undefined ? undefined : decodeInitPlan(inside);
  const config = changedConfig(image.config.config ?? {}, before, descriptor);
  const baked = await bakeImage(store, {
    image,
    name,
    yaml,
    plan,
    policy,
    config: withInit ? { ...config, Entrypoint: ["/.tranship/init"], Cmd: [] } : config,
    withInit,
  });
  context.print(
    forPeople ? `${baked.name} ${baked.indexDigest}` : printValue({ ...baked, changed, dryRun }, format),
  );
  context.say(`a layer of ${formatSize(baked.layerSize)} on top of ${image.layers.length}`);
}

const insidePlan = "/.tranship/init.bin";
const insidePolicy = "/.tranship/policy.bin";

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}
