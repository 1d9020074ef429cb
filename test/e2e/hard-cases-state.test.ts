// Hard cases of state: what a run changes, makes and removes, and what it needs empty, special or oddly named.
import { stateCases } from "../hard/cases/state.ts";
import { testHardCases } from "../support/hard-case.ts";

testHardCases("hard cases of state", stateCases);
