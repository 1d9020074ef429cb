// The way in: reads the command line against the table of verbs and runs one. What starts often has a shorter way (hot.ts).
import { installRoot } from "../host/native.ts";
import { quickParse } from "./quick-parser.ts";
import { runProgram, runVerb } from "./run-verb.ts";
import { printText, watchStreams } from "./streams.ts";

async function main(argv: readonly string[]): Promise<number> {
  // `version` is asked by scripts in loops; it needs neither the parser nor the table.
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "version")) {
    const { versionText } = await import("./general/version-text.ts");
    printText(`${versionText(installRoot)}\n`);
    return 0;
  }
  const { verbs } = await import("./table/verbs.ts");
  const words = withoutRoot(argv);
  if (words.length === 0 || (words.length === 1 && ["help", "--help", "-h"].includes(words[0] ?? ""))) {
    const { quickStart } = await import("./general/quick-start.ts");
    printText(quickStart(verbs, words.length > 0));
    return 0;
  }
  const quick = quickParse(verbs, argv);
  if (quick !== undefined) return await runVerb(quick.verb, quick.call);
  const { parse } = await import("./parser.ts");
  watchStreams(); // help is written by the parser's library
  const parsed = await parse(verbs, words[0] === "help" ? [...words.slice(1), "--help"] : argv);
  return parsed === undefined ? 0 : await runVerb(parsed.verb, parsed.call);
}

/** Help is the same wherever state lives. */
function withoutRoot(argv: readonly string[]): readonly string[] {
  if (argv[0] === "--root" && argv.length > 1) return argv.slice(2);
  return argv[0]?.startsWith("--root=") === true ? argv.slice(1) : argv;
}

await runProgram(process.argv.slice(2), main);
