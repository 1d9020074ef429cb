// tranship package bake: the descriptor that counts goes into a small layer on top, for platforms that run the image alone.
import { formatSize } from "../../base/units.ts";
import { bakeImage } from "../../image/bake.ts";
import { changedConfig } from "../../package/container-config.ts";
import { decodeInitPlan } from "../../package/init-codec.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { insideOf } from "./inside.ts";
import { nameFor, packagedOf, readGiven } from "./packaged.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [reference = ""] = call.args;
  const file = text(call.options, "descriptor");
  const packaged = packagedOf(context, reference, file !== undefined);
  const { store, image } = packaged;
  const name = nameFor(packaged, reference, text(call.options, "tag"));
  const yaml = file === undefined ? packaged.text : readGiven(file);
  const { descriptor, plan, policy, left, inside, noInit, changed } = await insideOf(
    packaged,
    yaml,
    file ?? reference,
  );
  const dryRun = flag(call.options, "dryRun");
  const format = text(call.options, "format");
  const forPeople = format === undefined || format === "table";
  if (!changed || dryRun) {
    // Whoever asks for a name finds what he asked for under it, though nothing had to be made.
    const named = !dryRun && name !== image.name && yaml === packaged.text;
    if (named) await store.tag(reference, name);
    const already = "the image holds this descriptor already";
    const words = changed ? `would bake ${reference} into ${name}` : named ? `${name}: ${already}` : already;
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
    config: noInit ? { ...config, Entrypoint: ["/.tranship/init"], Cmd: [] } : config,
    withInit: noInit || policy !== undefined,
  });
  context.print(
    forPeople ? `${baked.name} ${baked.indexDigest}` : printValue({ ...baked, changed, dryRun }, format),
  );
  for (const what of left) context.say(`warning: ${what}`);
  context.say(`a layer of ${formatSize(baked.layerSize)} on top of ${image.layers.length}`);
}
