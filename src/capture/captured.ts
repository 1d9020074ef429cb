// What the kinds of capture have in common: what they are given, and what they come to.
import type { Log, Progress } from "../base/log.ts";
import type { StateRoot } from "../host/state-root.ts";
import type { Machine } from "../machine/machine.ts";
import type { Lookup } from "./evidence/reduce-lookups.ts";
import type { PlanRequest } from "./plan/make-plan.ts";
import type { Plan } from "./plan/plan.ts";
import type { SessionResult } from "./sandbox/session.ts";

export interface CaptureTools {
  root: StateRoot;
  log: Log;
  progress: Progress;
  signal: AbortSignal;
  /** "tranship 1.2.3": goes into the evidence. */
  tool: string;
  /** What observed instances looked for in vain: packed where the machine has it. */
  missed?: readonly Lookup[];
}

/** What decides what is packed, beyond the evidence itself. */
export type Choices = Pick<
  PlanRequest,
  "include" | "filters" | "volumes" | "keepSecrets" | "closure" | "rules" | "expansion" | "recovered"
> & {
  /** Installed packages of --also. */
  alsoInstalled: readonly string[];
};

/** A plan with all that packing needs beside it. */
/** A capture that is packed from another view of the machine, and that has something to give back in the end. */
export interface OwnCapture extends Captured {
  machine?: Machine;
  close?(): Promise<void>;
}

export interface Captured {
  plan: Plan;
  evidence: string;
  session: SessionResult | undefined;
}
