// tranship image diff: exit status 4 where the images differ.
import { exitStatus } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { type FileDifference, type ImageDifference, imageDifference } from "../../image/difference.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const [before = "", after = ""] = call.args;
  const store = openStore(context.root);
  const [old, now] = [store.image(before), store.image(after)];
  const found = await imageDifference(store, old, now);
  const words = (image: typeof old): string =>
    Buffer.from(store.descriptorYaml(image) ?? "").toString("utf8");
  const descriptor = words(old) !== words(now);
  const format = text(call.options, "format");
  if (format !== undefined && format !== "table") {
    const files = found.files.map((one) => ({ ...one, path: escapeBytes(one.path) }));
    context.print(printValue({ before, after, ...found, files, descriptor }, format));
  } else context.print(differenceText(found, descriptor));
  return found.files.length > 0 || found.config.length > 0 || descriptor ? exitStatus.no : exitStatus.done;
}

const letters = { added: "A", removed: "D", changed: "C" } as const;

function differenceText(found: ImageDifference, descriptor: boolean): string {
  const lines = found.files.map(
    (one) =>
      `${letters[one.change]} ${escapeBytes(one.path)}${one.parts.length === 0 ? "" : ` (${partsText(one)})`}`,
  );
  if (found.config.length > 0) lines.push(`run configuration: ${found.config.join(", ")}`);
  if (descriptor) lines.push("descriptor: see `tranship package show` of both");
  const count = (change: FileDifference["change"]): number =>
    found.files.filter((one) => one.change === change).length;
  const layers = `${found.shared} layers shared of ${found.layersBefore} and ${found.layersAfter}`;
  lines.push(`${count("added")} added, ${count("removed")} removed, ${count("changed")} changed; ${layers}`);
  return lines.join("\n");
}

function partsText({ parts, before, after }: FileDifference): string {
  const size = parts.includes("size") && before !== undefined && after !== undefined;
  return parts
    .map((part) => (part === "size" && size ? `size ${formatSize(before)} -> ${formatSize(after)}` : part))
    .join(", ");
}
