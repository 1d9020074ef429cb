// Hard cases of files: what a copy of a tree by ordinary tools loses, and what a trace has to see to take it along.
import { filesCases } from "../hard/cases/files.ts";
import { testHardCases } from "../support/hard-case.ts";

testHardCases("hard cases of files", filesCases);
