// What of a descriptor an image has inside, for platforms that run the image alone: the plan of init, and the policy of the engine.
import { insideEngine } from "../../image/bake.ts";
import { treeOfImage } from "../../image/merged-tree.ts";
import { compileDescriptor } from "../../package/compiled.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { compilePolicy, isPlain } from "../../redirect/policy.ts";
import { encodePolicy } from "../../redirect/policy-codec.ts";
import type { Packaged } from "./packaged.ts";

export interface Inside {
  descriptor: Descriptor;
  /** As they belong inside. */
  plan: Uint8Array;
  policy: Uint8Array | undefined;
  /** What is not carried out where other tools start the image, in words. */
  left: readonly string[];
  /** The plan that is inside. */
  inside: Uint8Array | undefined;
  noInit: boolean;
  /** It is another one than this descriptor's. */
  changed: boolean;
}

/** `yaml`: the descriptor that counts; `from`: whose it is, for errors. */
export async function insideOf({ store, image }: Packaged, yaml: string, from: string): Promise<Inside> {
  const { descriptor, plan } = compileDescriptor(yaml, from);
  const { policy, left } = carriedInside(descriptor, image.config.architecture);
  const tree = await treeOfImage(store, image, { [insidePlan]: 4 << 20, [insidePolicy]: 4 << 20 });
  const inside = tree.textOf(insidePlan);
  const noInit = tree.at("/.tranship/init")?.entry.kind !== "file";
  const without = policy !== undefined && tree.at(insideEngine)?.entry.kind !== "file";
  const changed = noInit || without || !same(inside, plan) || !same(tree.textOf(insidePolicy), policy);
  return { descriptor, plan, policy, left, inside, noInit, changed };
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
