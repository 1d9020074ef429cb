// Which layer a path goes into: by origin, so that packages lifted from one machine share what is the same.
import type { Reason } from "../../closure/reason.ts";
import type { ByteString } from "../../formats/entry.ts";
import type { LayerName } from "../plan/plan.ts";

const configuration = /^\/(etc|usr\/local\/etc|opt\/[^/]+\/(etc|conf|config)|var\/spool\/cron)(\/|$)/;

/**
 * system: the same for every application of the machine (what closure's base rules alone give: `inSystem`).
 * runtime: from installed packages or needed by them. config: configuration files. app: the rest, the application's own.
 */
export function layerOf(path: ByteString, reasons: readonly Reason[], inSystem: boolean): LayerName {
  if (inSystem) return "system";
  if (configuration.test(path)) return "config";
  if (reasons.some((reason) => reason.kind === "installer")) return "app";
  const fromSystem = reasons.some(
    (reason) => reason.kind === "installed" || reason.kind === "language" || reason.kind === "base",
  );
  if (fromSystem) return "runtime";
  const shipped =
    /^\/(usr|lib|lib32|lib64|libx32|bin|sbin)(\/|$)/.test(path) && !path.startsWith("/usr/local/");
  const needed = reasons.some(
    (reason) => reason.kind === "needed" || reason.kind === "interpreter" || reason.kind === "loaded",
  );
  return shipped && needed ? "runtime" : "app";
}

/** Name and sentence of the group that a path is shown in. */
export function groupOf(
  path: ByteString,
  reasons: readonly Reason[],
  layer: LayerName,
): { name: string; why: string } {
  if (layer === "system")
    return {
      name: "system",
      why: "what every application of this machine needs: loader, C library, names, locales, time zones",
    };
  const of = (kind: Reason["kind"]) => reasons.find((reason) => reason.kind === kind);
  const data = of("data");
  if (data !== undefined) return { name: `data ${dataRoot(path)}`, why: "the application's data" };
  const installed = of("installed");
  if (installed?.detail !== undefined)
    return {
      name: `installed ${installed.detail}`,
      why: `belongs to the installed package ${installed.detail}`,
    };
  if (of("installer"))
    return { name: "made by the installer", why: "made or changed by the installer that was run" };
  const language = of("language");
  if (language?.detail !== undefined)
    return {
      name: `language ${language.detail}`,
      why: "a language's library is taken whole: what it loads is decided at run time",
    };
  if (of("needed") ?? of("interpreter") ?? of("loaded"))
    return { name: "libraries", why: "loaded by the programs of the package" };
  if (layer === "config")
    return { name: "configuration", why: "configuration that the application read or names" };
  const listed = of("listed");
  if (listed?.detail?.startsWith("application ") === true)
    return {
      name: listed.detail,
      why: "the application's own directory is taken whole: what it opens is decided at run time",
    };
  if (listed?.from !== undefined)
    return { name: `tree ${listed.from}`, why: "below a directory that the application lists or serves" };
  if (of("configuration"))
    return { name: "named in configuration", why: "named in a configuration file that the application read" };
  if (of("traced")) return { name: "used", why: "used while the application was watched" };
  if (of("rule")) return { name: "asked for", why: "asked for on the command line" };
  return { name: "directories and links", why: "on the way to other files" };
}

/** The directory that a person would call the data's: /var/lib/mysql, /srv/shop. */
function dataRoot(path: ByteString): ByteString {
  return /^\/(var\/(lib|spool|opt)\/[^/]+|[^/]+\/[^/]+)/.exec(path)?.[0] ?? path;
}
