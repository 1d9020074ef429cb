// A plan is read back and carried out.
import { basename, dirname, join } from "node:path";
import { readText } from "../host/files.ts";
import type { Machine } from "../machine/machine.ts";
import type { CaptureTools } from "./captured.ts";
import { evidenceForPlan, isBeside, readEvidenceDocument } from "./evidence/evidence-document.ts";
import { type PackedImage, pack } from "./pack/pack.ts";
import { refuseUnmet } from "./pack/unmet.ts";
import type { Plan } from "./plan/plan.ts";
import { readPlanFile } from "./plan/plan-file.ts";
import { evidenceText } from "./plan-capture.ts";

/** A plan made before with --plan-only, with the evidence that was written beside it. */
export function readPlan(
  file: string,
  tools: Pick<CaptureTools, "log" | "tool">,
): { plan: Plan; evidence: string } {
  const { plan, digest } = readPlanFile(file);
  const beside =
    plan.source.evidence === undefined ? undefined : join(dirname(file), basename(plan.source.evidence));
  const known = beside === undefined ? undefined : readText(beside);
  if (known !== undefined) {
    if (isBeside(known, digest)) return { plan, evidence: known };
    const document = readEvidenceDocument(Buffer.from(known), beside ?? file);
    return { plan, evidence: JSON.stringify(evidenceForPlan(document, plan)) };
  }
  if (beside !== undefined)
    tools.log.warn(`${beside} is missing: \`why\` will know only the groups of the plan`);
  const parts = { evidence: undefined, exercised: ["a plan that was made before"] };
  return { plan, evidence: evidenceText(plan, new Map(), parts, tools) };
}

/** What is let pass that would be refused. */
export interface Allowed {
  /** Pack what is there now where it is not what was planned. */
  acceptChanges?: boolean;
  /** Pack although programs need what the plan leaves out. */
  allowUnmet?: boolean;
}

export async function packPlan(
  machine: Machine,
  reference: string,
  captured: { plan: Plan; evidence: string } & Allowed,
  tools: CaptureTools,
): Promise<PackedImage> {
  refuseUnmet(captured.plan.unmet, captured.allowUnmet === true);
  return await pack({
    root: tools.root,
    machine,
    reference,
    plan: captured.plan,
    evidence: captured.evidence,
    acceptChanges: captured.acceptChanges === true,
    tool: tools.tool,
    progress: tools.progress,
    signal: tools.signal,
  });
}
