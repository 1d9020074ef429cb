import { isTranshipError, TranshipError } from "../../base/errors.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { inspectImage } from "../../image/inspect.ts";
import { openStore } from "../../image/store.ts";
import { inspectInstance, type ListedInstance } from "../../runtime/find.ts";
import { findNetwork } from "../../runtime/network/list.ts";
import { findVolume } from "../../runtime/volumes/list.ts";
import type { Context } from "../context.ts";
import { printRows } from "../format.ts";
import { instanceView } from "../instances/inspect-view.ts";
import { sizesOf } from "../instances/ps-row.ts";
import { networkView } from "../networks/inspect.ts";
import { type Call, flag, text } from "../verb.ts";
import { volumeView } from "../volumes/inspect.ts";

interface Wishes {
  type: string | undefined;
  size: boolean;
}

/** An instance goes before a package of the same name, as in docker. */
export async function run(call: Call, context: Context): Promise<undefined> {
  const type = text(call.options, "type");
  const found = call.args.map((name) => lookUp(context, name, { type, size: flag(call.options, "size") }));
  context.print(printRows(found, text(call.options, "format") ?? "json"));
}

function lookUp(context: Context, name: string, { type, size }: Wishes): unknown {
  if (type === "volume") return volumeView(findVolume(context.root, name));
  if (type === "network") return networkView(findNetwork(context.root, name));
  if (type !== "image") {
    try {
      const one = inspectInstance(context.root, name);
      return { ...instanceView(context.root, one), ...(size ? sizeView(context.root, one) : {}) };
    } catch (error) {
      if (type !== undefined || !isTranshipError(error, "E_INSTANCE_NOT_FOUND")) throw error;
    }
  }
  try {
    return inspectImage(openStore(context.root), name);
  } catch (error) {
    if (type === "image" || !isTranshipError(error, "E_IMAGE_NOT_FOUND")) throw error;
    throw new TranshipError(
      "E_IMAGE_NOT_FOUND",
      `neither an instance nor a package is called ${JSON.stringify(name)}`,
      {
        hint: "`tranship ps -a` and `tranship images` list what there is",
      },
    );
  }
}

function sizeView(root: StateRoot, one: ListedInstance): object {
  const { own, whole } = sizesOf(root, one);
  return { SizeRw: own, SizeRootFs: whole };
}
