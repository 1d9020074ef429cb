// Flags of the verbs for registries into what the registry client takes.
import { TranshipError } from "../../base/errors.ts";
import { parseDuration } from "../../base/units.ts";
import type { RegistrySettings } from "../../image/registry/settings.ts";
import type { Context } from "../context.ts";
import { flag, list, type OptionValues, text } from "../verb.ts";

export function registrySettings(options: OptionValues, context: Context): RegistrySettings {
  const certDir = text(options, "certDir");
  const retry = text(options, "retry") ?? "5";
  if (!/^\d{1,3}$/.test(retry)) {
    throw new TranshipError("E_USAGE", `--retry takes a number, not ${JSON.stringify(retry)}`, {
      hint: "give 0 to try only once",
    });
  }
  return {
    plainHttp: flag(options, "plainHttp"),
    insecure: flag(options, "insecure"),
    ...(certDir === undefined ? {} : { certDir }),
    mirrors: list(options, "mirror"),
    trustedHosts: list(options, "trustHost"),
    retries: Number(retry),
    retryDelay: parseDuration(text(options, "retryDelay") ?? "500ms"),
    signal: context.signal,
    log: context.log,
  };
}
