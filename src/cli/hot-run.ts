// The shortest way in of the built form: `run` in the foreground, which is waited for by people and scripts. Any other command line, and
// one that needs what is left out here (unpacking layers), is hot.cjs's.
import { quickParse } from "./quick-parser.ts";
import { runProgram, runVerb } from "./run-verb.ts";
import { runVerb as verb } from "./table/run.ts";

/** Starts hot.cjs, which then ends the process; given by start.ts. */
declare const $whole: () => void;

const argv = process.argv.slice(2);
const quick = quickParse([verb], argv);
if (quick === undefined) $whole();
else void runProgram(argv, () => runOrPass(quick));

async function runOrPass({ verb, call }: NonNullable<typeof quick>): Promise<number> {
  try {
    return await runVerb(verb, call);
  } catch (error) {
    // Asked for before anything is changed.
    if (!(error instanceof Error && "code" in error && error.code === "LEFT_OUT")) throw error;
    $whole();
    return await new Promise<never>(() => {});
  }
}
