// What services read as their configuration, found without running them: by the words and variables that they are started with, by the
// lists of their installed packages, beside programs that nobody packaged, and by what all that includes.
import { matchPaths } from "../../closure/glob.ts";
import type { InstalledPackages } from "../../closure/installed.ts";
import { isSweepable } from "../../closure/policy.ts";
import { basename, dirname, type Tree } from "../../closure/tree.ts";
import { readServices } from "../../discover/services.ts";
import { Source } from "../../discover/source.ts";
import { expandReferences, findConfigurationNames } from "../../formats/configuration-text.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText } from "../../formats/escape.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { configurationSeeds } from "../seeds/configuration-seeds.ts";

/** One program, as far as it is known how it is started. */
export interface ServiceStart {
  name: string;
  /** Of its command, also those inside a line for the shell. */
  words: readonly ByteString[];
  variables: Readonly<Record<string, ByteString>>;
  user: string;
}

export interface ConfigurationText {
  entry: Entry;
  /** With what its variables stand for. */
  text: string;
}

const maxFiles = 500;
const maxText = 1 << 20;
const maxWords = 1000;
const maxWord = 8192;

/** The programs of a descriptor; where it has none, the services of these installed packages, or every one that the machine starts. */
export async function serviceStarts(
  machine: Machine,
  descriptor: Descriptor,
  installed: InstalledPackages,
  names?: readonly string[],
): Promise<ServiceStart[]> {
  if (descriptor.programs.length === 0) return await machineServices(machine, installed, names);
  return descriptor.programs.map((program) => ({
    name: program.name,
    words: wordsIn(program.command.map(encodeText)),
    variables: Object.fromEntries(
      Object.entries({ ...descriptor.environment, ...program.environment })
        .filter(([, value]) => value.length <= maxWord)
        .map(([key, value]) => [key, encodeText(value)]),
    ),
    user: program.user?.split(":")[0] ?? "root",
  }));
}

async function machineServices(
  machine: Machine,
  installed: InstalledPackages,
  names?: readonly string[],
): Promise<ServiceStart[]> {
  if (names?.length === 0) return [];
  const services = await readServices(new Source(machine.files));
  const ours = (file: ByteString): boolean => installed.owner(file).some((name) => names?.includes(name));
  return services
    .filter((one) => (names === undefined ? one.state === "enabled" : one.from.some(ours)))
    .filter((one) => !one.template && one.program.startsWith("/"))
    .map((one) => ({
      name: one.name,
      words: [one.program, ...wordsIn(one.exec.start)],
      variables: {},
      user: one.user === "" ? "root" : one.user,
    }));
}

function wordsIn(command: readonly ByteString[]): ByteString[] {
  const words = command.flatMap((word) => word.split(/[\s"']+/));
  return words.filter((word) => word !== "" && word.length <= maxWord).slice(0, maxWords);
}

/** In the order in which they were found, each once, at most some hundred. */
export async function configurationTexts(
  machine: Machine,
  tree: Tree,
  starts: readonly ServiceStart[],
  installed: InstalledPackages,
): Promise<ConfigurationText[]> {
  const wanted = await namedFiles(machine, tree, starts, installed);
  const variables = Object.assign({}, ...starts.map((one) => one.variables)) as Record<string, ByteString>;
  const texts = new Map<ByteString, ConfigurationText>();
  // Grows while it is gone through: what a file includes is read in turn.
  for (const path of wanted) {
    if (texts.size >= maxFiles) break;
    const { entry } = await tree.resolve(path);
    if (entry?.kind !== "file" || texts.has(entry.path) || entry.size > maxText) continue;
    const raw = await tree.text(entry.path, maxText);
    if (raw === undefined || raw.includes("\0")) continue;
    const text = expandReferences(raw, (name) => variables[name]);
    texts.set(entry.path, { entry, text });
    for (const name of findConfigurationNames(text, 100).includes)
      wanted.push(...(await matchPaths(tree, absolute(name, dirname(entry.path)))).slice(0, maxFiles));
  }
  return [...texts.values()];
}

function absolute(name: ByteString, directory: ByteString): ByteString {
  return name.startsWith("/") ? name : `${directory === "/" ? "" : directory}/${name}`;
}

async function namedFiles(
  machine: Machine,
  tree: Tree,
  starts: readonly ServiceStart[],
  installed: InstalledPackages,
): Promise<ByteString[]> {
  const owners = new Set<string>();
  const files: ByteString[] = [];
  for (const path of new Set(starts.flatMap(namedBy))) {
    const { entry } = await tree.resolve(path);
    if (entry?.kind !== "file") continue;
    const owned = installed.owner(entry.path);
    for (const name of owned) if (!ofEverybody.test(name)) owners.add(name);
    if ((entry.mode & 0o111) === 0) files.push(entry.path);
    else if (owned.length === 0) files.push(...(await besides(tree, entry.path)));
  }
  return [...files, ...(await configurationSeeds(machine, installed, [...owners])).map(({ path }) => path)];
}

/** Shells and tools that start something else: their configuration is not the service's. */
const ofEverybody =
  /^(dash|bash|busybox\S*|coreutils|util-linux|dpkg|debianutils|login|passwd|sudo|systemd|init-system-helpers|base-files)$/;

/** Absolute paths in words and variables, whole or behind a sign. */
function namedBy({ words, variables }: ServiceStart): ByteString[] {
  const values = Object.entries(variables).flatMap(([name, value]) => (name === "PATH" ? [] : [value]));
  return [...words, ...values]
    .flatMap((word) => word.split(/[=:,;\s]/))
    .filter((one) => one.startsWith("/"))
    .slice(0, maxWords);
}

const endings = ["conf", "cnf", "cfg", "ini", "yml", "yaml", "properties", "toml", "xml", "json", "env"];

/** Configuration of a program that nobody packaged: beside it, and below /etc by its name. */
async function besides(tree: Tree, program: ByteString): Promise<ByteString[]> {
  const own = dirname(program);
  const home = /\/s?bin$/.test(own) ? dirname(own) : own;
  const name = basename(program).replace(/\.\w+$/, "");
  const plain = /^[\w.@+-]+$/.test(name);
  const directories = [
    ...(isSweepable(home) ? [home, `${home}/conf`, `${home}/etc`, `${home}/config`] : []),
    ...(plain ? [`/etc/${name}`, `/etc/${name}/*`, `/usr/local/etc/${name}`] : []),
  ];
  const patterns = endings.flatMap((end) => directories.map((directory) => `${directory}/*.${end}`));
  const found: ByteString[] = plain ? endings.map((end) => `/etc/${name}.${end}`) : [];
  for (const pattern of patterns) found.push(...(await matchPaths(tree, pattern)).slice(0, maxFiles));
  return found;
}
