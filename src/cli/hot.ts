// The short way in of the built form: one file, without modules of others, for the verbs that are called in loops. What it
// does not plainly understand is main.js's, which reads the same command line anew.
import { quickParse } from "./quick-parser.ts";
import { runProgram, runVerb } from "./run-verb.ts";
import { instanceVerbs } from "./table/instances.ts";

/** main.js; given by start.ts. */
declare const $whole: () => Promise<unknown>;

const argv = process.argv.slice(2);
const quick = quickParse(instanceVerbs, argv);
if (quick === undefined) void $whole();
else void runProgram(argv, () => runVerb(quick.verb, quick.call));
