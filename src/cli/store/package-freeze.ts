import { TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { packFrozen, planFreeze } from "../../capture/misses/freeze.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Instance } from "../../runtime/find.ts";
import { captureTools, requiredTag } from "../capture/requests.ts";
import { withMachine } from "../capture/with-machine.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { fetchedLookups, observedInstances } from "../instances/observed.ts";
import { type Call, flag, list, type OptionValues, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { options } = call;
  const [name = ""] = call.args;
  const reference = requiredTag(options);
  const instances = observedInstances(context.root, name).filter(({ record }) => record.tether !== undefined);
  const missed = instances.flatMap(fetchedLookups);
  const [first] = instances;
  if (first === undefined || missed.length === 0) {
    throw new TranshipError(
      "E_INSTANCE_STATE",
      `${name}: nothing was fetched, there is nothing to make whole`,
      {
        hint:
          first === undefined
            ? "start an instance with `tranship run --tether MACHINE`"
            : "the package had what was looked for; use its application in the ways that matter",
      },
    );
  }
  refuseOthers(first, instances);
  const tools = { ...captureTools(context), missed };
  const [address, reach] = sourceOf(first, options);
  const base = first.record.image.digest;
  await withMachine({ address, options: reach, context }, async (machine) => {
    const request = { machine, base, reference, closure: options.closure !== false };
    const frozen = await planFreeze(request, tools);
    const adds = frozen.plan.groups.reduce((sum, group) => sum + group.files.length, 0);
    const format = text(options, "format");
    const dryRun = flag(options, "dryRun");
    for (const { path } of missed)
      if (!isPlanned(frozen, path))
        context.log.warn(`${escapeBytes(path)} was fetched, and is not on the source any more`);
    context.say(`${missed.length} names were fetched; with what they need the package lacks ${adds}`);
    if (dryRun) {
      const lines = frozen.plan.groups
        .flatMap((group) => group.files)
        .sort()
        .map(escapeBytes);
      context.print(
        format === undefined || format === "table"
          ? lines.join("\n")
          : printValue({ adds: lines, dryRun }, format),
      );
      return;
    }
    const image = await packFrozen(frozen, request, tools);
    for (const note of image.notes.slice(0, 20))
      context.log.warn(`${escapeBytes(note.path)}: ${note.reason}`);
    const { entries, contentSize, descriptor } = image.added;
    context.say(
      `  layer fetched   ${entries} entries, ${formatSize(contentSize)}, stored as ${formatSize(descriptor.size)}`,
    );
    const value = {
      reference: image.name,
      digest: image.indexDigest,
      added: { entries, contentSize, compressedSize: descriptor.size },
    };
    context.print(
      format === undefined || format === "table"
        ? `${image.name}@${image.indexDigest}`
        : printValue(value, format),
    );
  });
}

function isPlanned(frozen: Awaited<ReturnType<typeof planFreeze>>, path: string): boolean {
  const key = escapeBytes(path);
  return Object.hasOwn(frozen.missed.paths, key) || Object.hasOwn(frozen.evidence.paths, key);
}

/** Instances of several versions of a package have no common one that could be made whole. */
function refuseOthers(first: Instance, instances: readonly Instance[]): void {
  const other = instances.find(({ record }) => record.image.digest !== first.record.image.digest);
  if (other === undefined) return;
  throw new TranshipError(
    "E_INSTANCE_STATE",
    `${first.record.name} and ${other.record.name} are of different versions of ${first.record.image.reference}`,
    { hint: "name the one instance whose version is to be made whole" },
  );
}

/** As it was tethered, unless another is named. */
function sourceOf({ record }: Instance, options: OptionValues): [address: string, options: OptionValues] {
  const given = text(options, "machine");
  const { tether } = record;
  if (given !== undefined || tether === undefined) return [given ?? "local:", options];
  const { machine, sshOptions, push, sudo, partition } = tether;
  const reach = {
    ...options,
    sshOption: [...sshOptions, ...list(options, "sshOption")],
    push: push && options.push !== false,
    sudo: sudo || flag(options, "sudo"),
    ...(partition === undefined ? {} : { partition: text(options, "partition") ?? String(partition) }),
  };
  return [machine, reach];
}
