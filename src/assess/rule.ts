// The shape of a rule and what it may look at.
import { ElfReader } from "../closure/elf-reader.ts";
import { Loader } from "../closure/loader.ts";
import { machineTree, type Tree } from "../closure/tree.ts";
import type { Inventory } from "../discover/inventory.ts";
import { Source } from "../discover/source.ts";
import type { ByteString } from "../formats/entry.ts";
import type { Machine } from "../machine/machine.ts";
import type { Finding, Severity } from "./assessment.ts";
import { findPrograms, type ProgramFact } from "./programs.ts";
import { type Survey, survey } from "./survey.ts";
import type { TargetFacts } from "./target.ts";

export interface RuleContext {
  inventory: Inventory;
  target: TargetFacts;
  source: Source;
  survey: Survey;
  /** ELF programs of services, running processes and the machine's own software. */
  programs: ProgramFact[];
  tree: Tree;
  elves: ElfReader;
  loader: Loader;
}

export interface Rule {
  id: string;
  title: string;
  /** The highest severity that its findings can have. */
  severity: Severity;
  check(context: RuleContext): Finding[] | Promise<Finding[]>;
}

const maxEvidence = 20;
/** Of one rule; what is more is counted in one last finding. */
export const maxFindings = 100;

export function finding(
  rule: Pick<Rule, "id" | "severity">,
  subject: ByteString,
  evidence: readonly ByteString[],
  says: { effect: string; remedy: string; severity?: Severity },
): Finding {
  const more = evidence.length > maxEvidence ? [`and ${evidence.length - maxEvidence + 1} more`] : [];
  return {
    rule: rule.id,
    severity: says.severity ?? rule.severity,
    subject,
    evidence: [...evidence.slice(0, more.length > 0 ? maxEvidence - 1 : maxEvidence), ...more],
    effect: says.effect,
    remedy: says.remedy,
  };
}

export async function contextOf(
  inventory: Inventory,
  machine: Machine,
  target: TargetFacts,
): Promise<RuleContext> {
  const source = new Source(machine.files);
  const found = await survey(machine, inventory);
  const tree = machineTree(machine.files);
  const elves = new ElfReader(tree);
  const loader = new Loader(tree, elves);
  const programs = await findPrograms(source, inventory, found, elves);
  return { inventory, target, source, survey: found, programs, tree, elves, loader };
}
