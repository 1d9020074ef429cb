// Hard cases of what nobody used while the program was watched: it works all the same, or is told as reachable and not packed.
import { untracedCases } from "../hard/cases/untraced.ts";
import { testHardCases } from "../support/hard-case.ts";

testHardCases("hard cases of what was not used", untracedCases);
