// The way into the built form: dist/hot.cjs, with the code that was compiled ahead for it (hot.bin) where it fits this Node.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Script } from "node:vm";
import { versionText } from "./general/version-text.ts";
import { printText } from "./streams.ts";

type Hot = (require: NodeJS.Require, directory: string, whole: () => Promise<unknown>) => void;

const directory = import.meta.dirname;
const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "version")) {
  // Asked by scripts in loops.
  printText(`${versionText(join(directory, ".."))}\n`);
} else startHot();

function startHot(): void {
  const filename = join(directory, "hot.cjs");
  const hot = new Script(readFileSync(filename, "latin1"), {
    filename,
    ...compiled(join(directory, "hot.bin")),
  }).runInThisContext() as Hot;
  const whole = "./main.js";
  hot(require, directory, () => import(whole));
}

function compiled(path: string): { cachedData?: Buffer } {
  try {
    return { cachedData: readFileSync(path) };
  } catch {
    return {}; // slower by some milliseconds
  }
}
