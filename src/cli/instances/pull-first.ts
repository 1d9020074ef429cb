// run --pull and create --pull: the package from its registry, before anything is made of it.
import { TranshipError } from "../../base/errors.ts";
import { pullImage } from "../../image/registry/pull.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { registrySettings } from "../registry/settings.ts";
import type { Call } from "../verb.ts";

/** `when`: always, or missing: where the store does not have it. */
export async function pullFirst({ args, options }: Call, context: Context, when: string): Promise<void> {
  const [reference = ""] = args;
  const store = openStore(context.root);
  if (when === "missing" && isHere(() => store.resolve(reference))) return;
  const { name, digest } = await pullImage(store, reference, {
    ...registrySettings(options, context),
    progress: context.progress,
  });
  context.say(`pulled ${name} ${digest}`);
}

function isHere(look: () => unknown): boolean {
  try {
    look();
    return true;
  } catch (error) {
    if (error instanceof TranshipError && error.code === "E_IMAGE_NOT_FOUND") return false;
    throw error;
  }
}
