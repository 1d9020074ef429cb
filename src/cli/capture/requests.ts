// Flags of the capture verbs -> requests of the capture room.
import { TranshipError } from "../../base/errors.ts";
import { parseDuration } from "../../base/units.ts";
import type { ApplicationOptions } from "../../capture/application/application.ts";
import type { RunRequest } from "../../capture/capture-run.ts";
import type { CaptureTools, Choices } from "../../capture/captured.ts";
import { type FilterRule, parseFilterFile, parsePattern } from "../../capture/plan/filters.ts";
import { tracerChoices } from "../../capture/sandbox/tracer.ts";
import { readInput } from "../../host/files.ts";
import { installRoot } from "../../host/native.ts";
import { newName } from "../../image/store.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Context } from "../context.ts";
import { versionText } from "../general/version-text.ts";
import { flag, list, type OptionValues, text } from "../verb.ts";

export function captureTools(context: Context): CaptureTools {
  return {
    root: context.root,
    log: context.log,
    progress: context.progress,
    signal: context.signal,
    tool: versionText(installRoot),
  };
}

export function choicesOf(options: OptionValues): Choices {
  return {
    include: [...list(options, "include"), ...alsoOf(options, "include")],
    filters: filtersOf(options),
    volumes: list(options, "volume").map((path) => absolutePath("--volume", path)),
    keepSecrets: list(options, "keepSecret").map((path) =>
      /^env:[A-Za-z_]\w*$/.test(path) ? path : absolutePath("--keep-secret", path),
    ),
    closure: options.closure !== false,
    alsoInstalled: alsoOf(options, "installed"),
  };
}

const alsoKinds = ["installed", "include", "plan"] as const;

/** Arguments of --also KIND:ARG of one kind. */
export function alsoOf(options: OptionValues, kind: (typeof alsoKinds)[number]): string[] {
  return list(options, "also").flatMap((word) => {
    const at = word.indexOf(":");
    const [given, argument] = [word.slice(0, at), word.slice(at + 1)];
    if (at < 0 || argument === "" || !alsoKinds.some((one) => one === given)) {
      throw new TranshipError("E_USAGE", `--also ${word} is not of the form KIND:ARG`, {
        hint: "kinds: installed:NAME, include:PATTERN, plan:FILE",
      });
    }
    return given === kind ? [argument] : [];
  });
}

/** The last part of the reference's name: "registry/team/shop:1" -> "shop". */
export function packageName(reference: string): string {
  const name = reference.replace(/@.*$/, "").split("/").at(-1)?.split(":")[0] ?? "";
  return name === "" ? "package" : name;
}

export function applicationOf(
  options: OptionValues,
  command: readonly string[],
  reference: string,
): ApplicationOptions {
  const environment = Object.fromEntries(
    list(options, "env").map((word) => {
      const at = word.indexOf("=");
      if (at < 1) throw new TranshipError("E_USAGE", `--env ${word} is not of the form NAME=VALUE`);
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
  const asked = text(options, "cmd");
  const workingDirectory = text(options, "workdir");
  if (asked !== undefined && (command.length > 0 || list(options, "service").length > 0)) {
    throw new TranshipError("E_USAGE", "--cmd is for packages without a command or a service of their own", {
      hint: "leave it out, or leave out the command and --service",
    });
  }
  return {
    name: packageName(reference),
    services: list(options, "service"),
    command: command.length > 0 ? command : asked === undefined ? [] : ["/bin/sh", "-c", asked],
    environment,
    ports: list(options, "port").map(portNumber),
    user: text(options, "user"),
    workingDirectory:
      workingDirectory === undefined ? undefined : absolutePath("--workdir", workingDirectory),
  };
}

/** Paths of the package are its own: absolute, without . and .., and without a slash at the end. */
function absolutePath(flagName: string, word: string): string {
  const path = word.length > 1 ? word.replace(/\/+$/, "") : word;
  const parts = path.split("/").slice(1);
  if (
    path === "/" ||
    (path.startsWith("/") && parts.every((part) => part !== "" && part !== "." && part !== ".."))
  )
    return path;
  throw new TranshipError("E_USAGE", `${flagName} ${word} is not a path of the machine`, {
    hint: "give it from the machine's root, without . and ..: /var/lib/shop",
  });
}

/** The rules in the order in which they were given. */
function filtersOf(options: OptionValues): FilterRule[] {
  return list(options, "filters").flatMap((words) => {
    const at = words.indexOf(" ");
    const [flagName, value] = [words.slice(0, at), words.slice(at + 1)];
    if (flagName === "filterFrom") return parseFilterFile(readFilterFile(value), value);
    const told = `--${flagName} ${value}`;
    return [{ keep: flagName === "include", pattern: parsePattern(value, `--${flagName}`), told }];
  });
}

const maxFilterFile = 4 << 20;

function readFilterFile(file: string): string {
  const bytes = readInput(file, "the rules", maxFilterFile);
  if (bytes !== undefined) return bytes.toString("utf8");
  throw new TranshipError("E_LIMIT", `the rules ${file} are larger than ${maxFilterFile} bytes`);
}

export function portNumber(word: string): number {
  const port = Number(word);
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return port;
  throw new TranshipError("E_USAGE", `${JSON.stringify(word)} is not a port`, {
    hint: "a number from 1 to 65535",
  });
}

export function runRequestOf(
  options: OptionValues,
  command: readonly string[],
  machine: Machine,
  reference: string,
): RunRequest {
  const application = applicationOf(options, command, reference);
  if (application.services.length > 0 && application.command.length > 0) {
    throw new TranshipError("E_USAGE", "give --service or a command, not both", {
      hint: "what a service's program is called with stands in its unit",
    });
  }
  if (application.services.length === 0 && application.command.length === 0) {
    throw new TranshipError("E_USAGE", "nothing to capture", {
      hint: "name a service with --service, or a command after --",
    });
  }
  const duration = text(options, "for");
  return {
    machine,
    application,
    session: {
      ports: list(options, "untilPort").map(portNumber),
      exercise: text(options, "exercise"),
      linger: parseDuration(text(options, "linger") ?? "2s"),
      for: duration === undefined ? undefined : parseDuration(duration),
      timeout: parseDuration(text(options, "timeout") ?? "120s"),
    },
    network: text(options, "network") === "host" ? "host" : "own",
    tracer: tracerChoices.find((choice) => choice === text(options, "tracer")) ?? "auto",
    witness: options.witness !== false,
    inPlace: flag(options, "inPlace"),
    learn: flag(options, "learnSyscalls"),
    data: text(options, "data") ?? "copy",
    choices: choicesOf(options),
  };
}

export function requiredTag(options: OptionValues): string {
  const reference = text(options, "tag");
  if (reference !== undefined) {
    newName(reference); // a typing error must not cost a capture
    return reference;
  }
  throw new TranshipError("E_USAGE", "the package needs a name", { hint: "give it with -t NAME[:TAG]" });
}
