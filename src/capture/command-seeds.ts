// What the programs of a descriptor are started with, where no run has shown it: their commands, and the commands in a line for the shell.
import type { Seed } from "../closure/expand.ts";
import type { ByteString } from "../formats/entry.ts";
import { encodeText } from "../formats/escape.ts";
import type { Machine } from "../machine/machine.ts";
import { insidePath } from "../package/container-config.ts";
import type { Descriptor } from "../package/descriptor.ts";

const maxWords = 200;

/** Words that are no command or path of the machine are passed over: they are arguments, or words of the shell. */
export async function commandSeeds(machine: Machine, descriptor: Descriptor): Promise<Seed[]> {
  const seeds: Seed[] = [];
  for (const { name, command } of descriptor.programs) {
    for (const word of wordsOf(command)) {
      const path = await executable(machine, encodeText(word));
      if (path !== undefined)
        seeds.push({ path, reason: { kind: "rule", detail: `program ${name} is started with it` } });
    }
  }
  return seeds;
}

function wordsOf(command: readonly string[]): string[] {
  const [program = "", option, line] = command;
  if (!/(^|\/)(ba|da|k|z)?sh$/.test(program) || option !== "-c" || line === undefined) return [program];
  return [program, ...new Set(line.split(/[\s;|&()<>"'`]+/).slice(0, maxWords)), ...command.slice(3)];
}

async function executable(machine: Machine, word: ByteString): Promise<ByteString | undefined> {
  if (!/^[\w./@+-]+$/.test(word)) return undefined;
  const candidates = word.startsWith("/")
    ? [word]
    : word.includes("/")
      ? []
      : insidePath.split(":").map((one) => `${one}/${word}`);
  for (const path of candidates) {
    const { entry } = await machine.files.resolve(path);
    if (entry?.kind === "file" && (word.startsWith("/") || (entry.mode & 0o111) !== 0)) return path;
  }
  return undefined;
}
