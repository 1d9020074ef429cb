// tranship package bake: the descriptor that counts goes into a small layer on top, for platforms that run the image alone.
import { formatSize } from "../../base/units.ts";
import { bakeImage, insideEngine } from "../../image/bake.ts";
import { treeOfImage } from "../../image/merged-tree.ts";
import { compileDescriptor } from "../../package/compiled.ts";
import { changedConfig } from "../../package/container-config.ts";
import type { Descriptor } from "../../package/descriptor.ts";
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
  const carried = carriedInside(descriptor, image.config.architecture);
  const policy = carried.policy;
  const tree = await treeOfImage(store, image, { [insidePlan]: 4 << 20, [insidePolicy]: 4 << 20 });
  const inside = tree.textOf(insidePlan);
  const noInit = tree.at("/.tranship/init")?.entry.kind !== "file";
  const without = policy !== undefined && tree.at(insideEngine)?.entry.kind !== "file";
  const withInit = noInit || policy !== undefined;
  const changed =
    noInit ||
    without ||
    inside === undefined ||
    !same(inside, plan) ||
    !same(tree.textOf(insidePolicy), policy);
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
    withInit,
  });
  context.print(
    forPeople ? `${baked.name} ${baked.indexDigest}` : printValue({ ...baked, changed, dryRun }, format),
  );
  for (const what of carried.left) context.say(`warning: ${what}`);
  context.say(`a layer of ${formatSize(baked.layerSize)} on top of ${image.layers.length}`);
}

/**
 * What the engine in the image carries out where others start it. Names, and all that the machine is known by, are the
 * platform's there.
 */
function carriedInside(
  descriptor: Descriptor,
  architecture: string,
): { policy: Uint8Array | undefined; left: string[] } {
  const { redirections, elements, excludes, links } = descriptor;
  const left: string[] = [];
  const files = redirections.files.filter(({ mode }) => mode !== "merged");
  const network = redirections.network.filter(({ kind }) => kind !== "name");
  if (files.length < redirections.files.length) left.push("redirections with the mode merged");
  if (network.length < redirections.network.length) left.push("redirections of names");
  if (links.length > 0) left.push("links");
  const compiled = compilePolicy({
    descriptor: { redirections: { ...redirections, files, network }, elements, excludes, links: [] },
    identity: {
      ...descriptor.identity,
      ...{ hostname: null, domain: null, macAddress: null, machineId: null, hostId: null, dmi: null },
    },
  });
  if (isPlain(compiled)) return { policy: undefined, left: left.map(notCarried) };
  if (architecture === "amd64") return { policy: encodePolicy(compiled), left: left.map(notCarried) };
  return { policy: undefined, left: [notCarried("redirections and elements, for the engine is for amd64,")] };
}

function notCarried(what: string): string {
  return `${what} are not carried out where other tools start the image`;
}

const insidePlan = "/.tranship/init.bin";
const insidePolicy = "/.tranship/policy.bin";

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}
