// The rule engine: every rule looks at the same facts; the worst finding makes the verdict.
import type { Inventory } from "../discover/inventory.ts";
import type { Machine } from "../machine/machine.ts";
import {
  type Assessment,
  assessmentVersion,
  type Finding,
  type Severity,
  type Verdict,
} from "./assessment.ts";
import { contextOf, finding, maxFindings, type Rule, type RuleContext } from "./rule.ts";
import { rules as allRules } from "./rules/index.ts";
import type { TargetFacts } from "./target.ts";

export interface AssessOptions {
  /** Rules by id that are not applied; the assessment says so. */
  skip?: readonly string[];
  rules?: readonly Rule[];
}

const order: readonly Severity[] = ["blocker", "warning", "note"];

export async function assess(
  inventory: Inventory,
  machine: Machine,
  target: TargetFacts,
  options: AssessOptions = {},
): Promise<Assessment> {
  return applyRules(await contextOf(inventory, machine, target), options);
}

export async function applyRules(context: RuleContext, options: AssessOptions = {}): Promise<Assessment> {
  const { inventory, target } = context;
  const assessment: Assessment = {
    schema: "tranship/assessment",
    version: assessmentVersion,
    machine: inventory.machine.address,
    system: inventory.os.name || inventory.os.release,
    target,
    verdict: "Pass",
    findings: [],
    rules: [],
  };
  for (const rule of options.rules ?? allRules) {
    const skipped = options.skip?.includes(rule.id) === true ? "switched off" : "";
    const findings = skipped === "" ? await rule.check(context) : [];
    assessment.findings.push(...bounded(rule, findings));
    assessment.rules.push({ id: rule.id, title: rule.title, findings: findings.length, skipped });
  }
  assessment.findings.sort(byWeight);
  assessment.verdict = verdictOf(assessment.findings);
  return assessment;
}

export function verdictOf(findings: readonly Finding[]): Verdict {
  if (findings.some((each) => each.severity === "blocker")) return "Blocked";
  return findings.some((each) => each.severity === "warning") ? "Warning" : "Pass";
}

/** Many findings of one rule: the worst come first, the rest is one count. */
function bounded(rule: Rule, findings: readonly Finding[]): Finding[] {
  if (findings.length <= maxFindings) return [...findings];
  const sorted = [...findings].sort(byWeight);
  const rest = sorted.slice(maxFindings - 1);
  return [
    ...sorted.slice(0, maxFindings - 1),
    finding(
      rule,
      `${rest.length} more`,
      rest.map((each) => each.subject),
      {
        effect: "further findings of the same kind",
        remedy: "see the first ones",
        severity: rest[0]?.severity ?? rule.severity,
      },
    ),
  ];
}

function byWeight(a: Finding, b: Finding): number {
  const weight = order.indexOf(a.severity) - order.indexOf(b.severity);
  if (weight !== 0) return weight;
  if (a.rule !== b.rule) return a.rule < b.rule ? -1 : 1;
  return a.subject < b.subject ? -1 : a.subject > b.subject ? 1 : 0;
}
