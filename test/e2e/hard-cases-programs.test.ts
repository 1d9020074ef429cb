// Hard cases of programs: ways to name and to start things that tracers do not see, or do not survive.
import { programsCases } from "../hard/cases/programs.ts";
import { testHardCases } from "../support/hard-case.ts";

testHardCases("hard cases of programs", programsCases);
