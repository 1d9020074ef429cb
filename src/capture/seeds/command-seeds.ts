// What the programs of a descriptor are started with, where no run has shown it: their commands, the commands in a line for the shell,
// what shell scripts among them call and name in turn, and their working directories.
import type { Seed } from "../../closure/expand.ts";
import { isSweepable } from "../../closure/policy.ts";
import type { Reason } from "../../closure/reason.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText } from "../../formats/escape.ts";
import { parseShebang } from "../../formats/shebang.ts";
import { findShellCommands } from "../../formats/shell-commands.ts";
import { isUnreadable, type Machine } from "../../machine/machine.ts";
import { insidePath } from "../../package/container-config.ts";
import type { Descriptor } from "../../package/descriptor.ts";

const maxWords = 200;
const maxScript = 256 << 10;
/** Scripts that scripts call. */
const maxDepth = 3;
/** An application is no larger; what is has to be asked for. */
const maxFiles = 20_000;
/** Files that a home has openly. */
const maxOpen = 200;

export interface StartedWith {
  seeds: Seed[];
  /** Words of scripts that run something as another user; which of them are users, passwd says. */
  users: ReadonlySet<string>;
}

/** Words that are no command or path of the machine are passed over: they are arguments, or words of the shell. */
export async function commandSeeds(machine: Machine, descriptor: Descriptor): Promise<StartedWith> {
  const seeds: Seed[] = [];
  const scripts = new Scripts(machine);
  for (const { name, command, workingDirectory, environment } of descriptor.programs) {
    for (const word of wordsOf(command)) {
      const entry = await executable(machine, encodeText(word), environment?.PATH);
      if (entry === undefined) continue;
      seeds.push({
        path: entry.named,
        reason: { kind: "rule", detail: `program ${name} is started with it` },
      });
      seeds.push(...(await scripts.read(entry.entry, maxDepth)));
    }
    const script = await scriptOf(machine, command, workingDirectory);
    if (script !== undefined)
      seeds.push({ path: script, reason: { kind: "rule", detail: `program ${name} is started with it` } });
    if (workingDirectory !== undefined)
      seeds.push(...(await filesOf(machine, encodeText(workingDirectory), { kind: "configuration", detail: name }))); // biome-ignore format: one line
  }
  return { seeds, users: scripts.users };
}

function wordsOf(command: readonly string[]): string[] {
  const [program = "", option = "", line] = command;
  if (!/(^|\/)(ba|da|k|z)?sh$/.test(program)) return [program];
  if (option !== "-c" || line === undefined) return [program, ...(option.startsWith("/") ? [option] : [])];
  return [program, ...new Set(line.split(/[\s;|&()<>"'`]+/).slice(0, maxWords)), ...command.slice(3)];
}

interface Found {
  named: ByteString;
  entry: Entry;
}

async function executable(machine: Machine, word: ByteString, path?: string): Promise<Found | undefined> {
  if (!/^[\w./@+-]+$/.test(word)) return undefined;
  const candidates = word.startsWith("/")
    ? [word]
    : word.includes("/")
      ? []
      : [...(path === undefined ? [] : encodeText(path).split(":")), ...insidePath.split(":")].map(
          (one) => `${one}/${word}`,
        );
  for (const named of candidates) {
    const { entry } = await machine.files.resolve(named);
    if (entry?.kind === "file" && (word.startsWith("/") || (entry.mode & 0o111) !== 0))
      return { named, entry };
  }
  return undefined;
}

/** Shell scripts are read, each once; what they call and name exists or is passed over. */
class Scripts {
  readonly #machine: Machine;
  readonly #read = new Set<ByteString>();
  readonly users = new Set<string>();

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  async read(script: Entry, depth: number): Promise<Seed[]> {
    if (depth === 0 || this.#read.has(script.path) || script.size > maxScript) return [];
    this.#read.add(script.path);
    const bytes = (await this.#machine.files.read(script.path)) ?? new Uint8Array();
    if (!/(^|\/)(ba|da|k)?sh$/.test(parseShebang(bytes)?.interpreter ?? "")) return [];
    const text = Buffer.from(bytes).toString("latin1");
    const { names, paths } = findShellCommands(text);
    for (const [, user = ""] of text.matchAll(otherUser)) this.users.add(user);
    const reason: Reason = { kind: "configuration", from: script.path };
    const seeds: Seed[] = [];
    for (const word of [...names, ...paths.filter((path) => !ofTheKernel.test(path))]) {
      const found = await executable(this.#machine, word);
      if (found === undefined) continue;
      seeds.push({ path: found.named, reason }, ...(await this.read(found.entry, depth - 1)));
    }
    for (const [, path = ""] of Buffer.from(bytes)
      .toString("latin1")
      .matchAll(/--chdir[= ]+(\/[\w./@+-]+)/g))
      seeds.push(...(await filesOf(this.#machine, path, reason)));
    return seeds;
  }
}

const otherUser =
  /(?:--chuid|--user|--reuid|\bsu|\brunuser|\bsudo|\s-u)[= ]+(?:-[lu]?\s+)?["']?([A-Za-z_][\w-]*)/g;
const ofTheKernel = /^\/(dev|proc|sys|run|tmp)\//;

const interpreter = /(^|\/)(python|pypy|perl|ruby|node|nodejs|php|java|lua|tclsh|Rscript)[\d.]*$/;

/** The script that an interpreter is given: the first word after it that is a file. It brings its application as a program does. */
async function scriptOf(
  machine: Machine,
  command: readonly string[],
  workingDirectory = "/",
): Promise<ByteString | undefined> {
  const [, , ...inner] = command;
  // What sets something first ends with the words that it starts.
  const words = /(^|\/)(ba|da)?sh$/.test(command[0] ?? "") ? inner : command;
  const at = words.findIndex((word) => interpreter.test(word));
  if (at < 0) return undefined;
  for (const word of words.slice(at + 1, at + maxWords)) {
    if (word.startsWith("-")) continue;
    const path = encodeText(word.startsWith("/") ? word : `${workingDirectory}/${word}`);
    if ((await machine.files.resolve(path)).entry?.kind === "file") return path;
  }
  return undefined;
}

/**
 * An application's own directory with all below it. Of one that others share, such as a home, it itself, for a program cannot start in
 * a directory that is not there, and the files that lie openly in it: those can be opened by their bare names.
 */
async function filesOf(machine: Machine, path: ByteString, reason: Reason): Promise<Seed[]> {
  const { entry } = await machine.files.resolve(path);
  if (entry?.kind !== "directory") return [];
  if (!isSweepable(entry.path)) {
    const below = /^\/(home|root)(\/|$)/.test(entry.path)
      ? ((await machine.files.list(entry.path)) ?? [])
      : [];
    const open = below.filter((one) => one.kind === "file" && !/\/\.[^/]*$/.test(one.path)).slice(0, maxOpen);
    return [{ path: entry.path, reason }, ...open.map((one) => ({ path: one.path, reason }))];
  }
  const seeds: Seed[] = [];
  for await (const one of machine.files.walk(entry.path)) {
    if (isUnreadable(one)) continue;
    seeds.push({ path: one.path, reason });
    if (seeds.length > maxFiles) return [{ path: entry.path, reason }];
  }
  return seeds;
}
