// The short way in of the built form: one file, without modules of others, for the verbs that are called in loops. What it
// does not plainly understand, and what needs more than is here (reading a descriptor), is main.js's, which reads the same command line anew.
import { quickParse } from "./quick-parser.ts";
import { runProgram, runVerb } from "./run-verb.ts";
import { instanceStateVerbs } from "./table/instance-state.ts";
import { instanceVerbs } from "./table/instances.ts";

/** main.js; given by start.ts. */
declare const $whole: () => Promise<unknown>;

const argv = process.argv.slice(2);
const quick = quickParse([...instanceVerbs, ...instanceStateVerbs], argv);
if (quick === undefined) void $whole();
else void runProgram(argv, () => runOrPass(quick));

async function runOrPass({ verb, call }: NonNullable<typeof quick>): Promise<number> {
  try {
    return await runVerb(verb, call);
  } catch (error) {
    // Asked for before anything is changed.
    if (!(error instanceof Error && "code" in error && error.code === "LEFT_OUT")) throw error;
    await $whole();
    return await new Promise<never>(() => {});
  }
}
