// The way into the built form: dist/run.cjs or dist/hot.cjs, with the code that was compiled ahead for it (run.bin, hot.bin) where it
// fits this Node.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Script } from "node:vm";
import { versionText } from "./general/version-text.ts";
import { printText } from "./streams.ts";

type Hot = (require: (name: string) => unknown, directory: string, whole: () => unknown) => void;

const directory = import.meta.dirname;
const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "version")) {
  // Asked by scripts in loops.
  printText(`${versionText(join(directory, ".."))}\n`);
} else if (argv.includes("run")) start("run", requireFew, startHot);
else startHot();

function startHot(): void {
  const whole = "./main.js";
  start("hot", requireFew, () => import(whole));
}

function start(name: "run" | "hot", needed: (name: string) => unknown, whole: () => unknown): void {
  const filename = join(directory, `${name}.cjs`);
  const script = new Script(readFileSync(filename, "latin1"), {
    filename,
    ...compiled(join(directory, `${name}.bin`)),
  });
  (script.runInThisContext() as Hot)(needed, directory, whole);
}

/** What run.cjs and hot.cjs do without is named so by scripts/build.ts. */
function requireFew(name: string): unknown {
  if (!name.startsWith("left-out:")) return require(name);
  throw Object.assign(new Error(name), { code: "LEFT_OUT" });
}

function compiled(path: string): { cachedData?: Buffer } {
  try {
    return { cachedData: readFileSync(path) };
  } catch {
    return {}; // slower by some milliseconds
  }
}
