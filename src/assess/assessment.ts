// What an assessment says: findings of the rules and a verdict for one target. JSON-able.
import type { ByteString } from "../formats/entry.ts";
import type { TargetFacts } from "./target.ts";

export const assessmentVersion = 1;

/** blocker: will not work as it is; warning: works only if something is done; note: to be known. */
export type Severity = "blocker" | "warning" | "note";
export type Verdict = "Pass" | "Warning" | "Blocked";

export interface Finding {
  rule: string;
  severity: Severity;
  /** What it is about: a path, a service, a port. Byte string. */
  subject: ByteString;
  /** What was seen, with paths; never a secret's value. At most 20. */
  evidence: ByteString[];
  effect: string;
  remedy: string;
}

export interface RuleOutcome {
  id: string;
  title: string;
  findings: number;
  /** Why the rule could not be applied; "" where it was. */
  skipped: string;
}

export interface Assessment {
  schema: "tranship/assessment";
  version: 1;
  machine: string;
  system: ByteString;
  target: TargetFacts;
  verdict: Verdict;
  /** Blockers first, then by rule and subject. */
  findings: Finding[];
  rules: RuleOutcome[];
}
