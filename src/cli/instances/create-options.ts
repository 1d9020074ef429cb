// Flags of run and create into what the runtime is asked for.
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { parseDuration, parseSize } from "../../base/units.ts";
import type { CreateOptions } from "../../runtime/create-options.ts";
import { parseExpose, parsePublish } from "../../runtime/network/ports.ts";
import type { RestartRule } from "../../runtime/record.ts";
import { parseRedirect } from "../../runtime/redirect/parse.ts";
import { signalNumber } from "../../runtime/stop.ts";
import { isOfIpc, isOfNetwork } from "../../runtime/sysctls.ts";
import { parseUserns } from "../../runtime/userns/request.ts";
import { type Call, flag, list, type OptionValues, text } from "../verb.ts";
import { accessOptions } from "./access-options.ts";
import { elementOptions } from "./element-options.ts";
import { healthOptions } from "./health-options.ts";
import { identityOptions } from "./identity-options.ts";
import { checkSwap, fixedLimits, limits } from "./limit-options.ts";
import { mountOptions } from "./mount-options.ts";
import { addedHosts, resolverOptions } from "./name-options.ts";
import { connections, networkOptions } from "./network-options.ts";
import { secretOption } from "./secret-option.ts";

export function createOptions(call: Call): CreateOptions {
  const { args } = call;
  const options = withNet(call.options);
  const [reference = "", ...command] = args;
  const entrypoint = text(options, "entrypoint");
  const stopTimeout = text(options, "stopTimeout");
  const stopSignal = text(options, "stopSignal");
  if (stopSignal !== undefined) signalNumber(stopSignal);
  if (flag(options, "privileged")) {
    throw usage(
      "--privileged is not given: such an instance could do what this host can",
      "name what it needs with --cap-add and --device; --cap-add ALL --syscalls off leaves the host's devices and kernel settings out",
    );
  }
  const asked = { ...limits(options), ...fixedLimits(options) };
  checkSwap(asked);
  return {
    reference,
    command,
    ...named(options),
    identity: identityOptions(options),
    elements: elementOptions(options),
    redirect: {
      rules: list(options, "redirect").map(parseRedirect),
      host: list(options, "allowHost"),
    },
    ...(entrypoint === undefined ? {} : { entrypoint: entrypoint === "" ? [] : [entrypoint] }),
    terminal: flag(options, "tty"),
    interactive: flag(options, "interactive"),
    environment: environment(options),
    ...networkOptions(options),
    connect: [...connections(options), ...addedHosts(options)],
    ...resolverOptions(options),
    ports: list(options, "publish").flatMap(parsePublish),
    publishAll: flag(options, "publishAll"),
    expose: list(options, "expose").flatMap(parseExpose),
    mounts: mountOptions(options),
    secrets: list(options, "secret").map(secretOption),
    limits: asked,
    capAdd: list(options, "capAdd"),
    capDrop: list(options, "capDrop"),
    readOnly: flag(options, "readOnly"),
    ...sysctls(options),
    ...userns(text(options, "userns")),
    ...healthOptions(options),
    linked: list(options, "linked"),
    services: list(options, "service"),
    ...syscalls(text(options, "syscalls")),
    ...accessOptions(options),
    restart: restart(text(options, "restart") ?? "no"),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(stopTimeout === undefined ? {} : { stopTimeout: parseDuration(stopTimeout) }),
    ...logOptions(list(options, "logOpt")),
    labels: labels(options),
    ...idFile(text(options, "cidfile")),
    autoRemove: flag(options, "rm"),
  };
}

/** --net is docker's older word for --network. */
export function withNet(options: OptionValues): OptionValues {
  const net = list(options, "net");
  return net.length === 0 ? options : { ...options, network: [...list(options, "network"), ...net] };
}

/** Options that are absent rather than undefined. */
function named(options: OptionValues): Partial<CreateOptions> {
  const keys = [
    ["name", "name"], ["workdir", "workingDirectory"], ["user", "user"], ["hostname", "hostname"],
    ["descriptor", "descriptorFile"],
  ] as const; // biome-ignore format: a table
  const found: Record<string, string> = {};
  for (const [option, key] of keys) {
    const value = text(options, option);
    if (value !== undefined) found[key] = value;
  }
  checkNamed(found);
  return found;
}

function checkNamed(found: Record<string, string>): void {
  const { hostname, workingDirectory } = found;
  if (hostname !== undefined && !/^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,62})$/.test(hostname)) {
    throw usage(`not a host name: ${JSON.stringify(hostname)}`, "use letters, digits, - and ., at most 63");
  }
  if (workingDirectory !== undefined && !workingDirectory.startsWith("/")) {
    throw usage(`not an absolute directory: ${JSON.stringify(workingDirectory)}`, "begin it with /");
  }
}

export function environment(options: OptionValues): string[] {
  const fromFiles = list(options, "envFile")
    .flatMap((path) => linesOf(path, "variables"))
    .map(variableOfLine);
  return [...fromFiles, ...list(options, "env")].flatMap((entry) => {
    if (/^[^=\0\s][^=\0]*=/.test(entry)) return [entry];
    if (!/^[^=\0\s]+$/.test(entry))
      throw usage(`not a variable: ${JSON.stringify(entry)}`, "write NAME=VALUE");
    const value = process.env[entry];
    return value === undefined ? [] : [`${entry}=${value}`];
  });
}

/** As docker reads it: what stands before the name does not count, and a name has no white space, as `export NAME` would have. */
function variableOfLine(line: string): string {
  const entry = line.trimStart();
  const [name = ""] = entry.split("=", 1);
  if (!/\s/.test(name)) return entry;
  throw usage(`not the name of a variable: ${JSON.stringify(name)}`, "write NAME=VALUE");
}

function linesOf(path: string, what: string): string[] {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (cause) {
    throw new TranshipError("E_IO", `cannot read the ${what} of ${path}`, {
      hint: "check its name",
      cause,
    });
  }
  return content.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.trimStart().startsWith("#"));
}

function positive(option: string, value: string, pattern: RegExp): number {
  if (pattern.test(value) && Number(value) > 0) return Number(value);
  throw usage(`${option}: not a number above 0: ${JSON.stringify(value)}`, `write for example ${option} 2`);
}

function userns(word: string | undefined): Pick<CreateOptions, "userns"> {
  return word === undefined ? {} : { userns: parseUserns(word) };
}

function syscalls(word: string | undefined): Pick<CreateOptions, "syscalls"> {
  if (word === undefined) return {};
  if (word === "default" || word === "learned" || word === "off") return { syscalls: word };
  throw usage(`not a profile of system calls: ${JSON.stringify(word)}`, "give default, learned or off");
}

export function restart(word: string): RestartRule {
  const match = /^(no|always|unless-stopped|on-failure)(?::(\d+))?$/.exec(word);
  if (match === null || (match[2] !== undefined && match[1] !== "on-failure")) {
    throw usage(
      `not a restart rule: ${JSON.stringify(word)}`,
      "give no, on-failure, on-failure:5, always or unless-stopped",
    );
  }
  return { policy: match[1] as RestartRule["policy"], attempts: Number(match[2] ?? 0) };
}

/** Docker's words for when init's log is rotated. */
function logOptions(entries: readonly string[]): Pick<CreateOptions, "log"> {
  if (entries.length === 0) return {};
  const log: { maxSize?: number; maxFiles?: number } = {};
  for (const entry of entries) {
    const [, key, value = ""] = /^(max-size|max-file)=(.+)$/.exec(entry) ?? [];
    if (key === "max-size") log.maxSize = value === "-1" ? 0 : parseSize(value);
    else if (key === "max-file") log.maxFiles = positive("--log-opt max-file", value, /^\d{1,4}$/);
    else
      throw usage(`not an option of the log: ${JSON.stringify(entry)}`, "write max-size=10m or max-file=3");
  }
  return { log };
}

function sysctls(options: OptionValues): Pick<CreateOptions, "sysctls"> {
  const entries = list(options, "sysctl");
  if (entries.length === 0) return {};
  const { network } = networkOptions(options);
  const given = entries.map((entry): [string, string] => {
    const [, name = "", value = ""] = /^([^=]+)=(.*)$/s.exec(entry) ?? [];
    if (name === "") throw usage(`not a setting: ${JSON.stringify(entry)}`, "write NAME=VALUE");
    if (isOfNetwork(name) && (network === "host" || network === "container"))
      throw usage(
        `conflicting options: --sysctl ${name} and a network that is not the instance's own`,
        "set it where the network is made",
      );
    if (isOfIpc(name) || isOfNetwork(name)) return [name, value];
    throw usage(
      `--sysctl ${name} cannot be given to one instance`,
      "net.*, kernel.msg*, kernel.shm*, kernel.sem and fs.mqueue.* can; others are the host's: set them there",
    );
  });
  return { sysctls: Object.fromEntries(given) };
}

/** Where the id goes; docker's words for one that is there. */
function idFile(path: string | undefined): Pick<CreateOptions, "idFile"> {
  if (path === undefined) return {};
  if (existsSync(path)) {
    throw usage(
      `container ID file found: ${path}`,
      "make sure that the other instance is gone, and remove the file",
    );
  }
  return { idFile: resolve(path) };
}

function labels(options: OptionValues): Record<string, string> {
  const fromFiles = list(options, "labelFile").flatMap((path) => linesOf(path, "labels"));
  return Object.fromEntries([...fromFiles, ...list(options, "label")].map(label));
}

function label(entry: string): [string, string] {
  const cut = entry.indexOf("=");
  return cut < 0 ? [entry, ""] : [entry.slice(0, cut), entry.slice(cut + 1)];
}

function usage(message: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}
