// A descriptor's text with what init carries out of it. Loaded only where a descriptor has to be read: it brings zod and yaml along.
import type { Descriptor } from "./descriptor.ts";
import { compileInitPlan, encodeInitPlan } from "./init-plan.ts";
import { type RunFacts, runFacts } from "./run-facts.ts";
import { parseDescriptor } from "./yaml.ts";

export interface CompiledDescriptor {
  descriptor: Descriptor;
  facts: RunFacts;
  /** init.bin. */
  plan: Uint8Array;
}

/** E_DESCRIPTOR_INVALID lists every problem with its line. */
export function compileDescriptor(text: string, name: string): CompiledDescriptor {
  const descriptor = parseDescriptor(text, name);
  return { descriptor, facts: runFacts(descriptor, name), plan: encodeInitPlan(compileInitPlan(descriptor)) };
}
