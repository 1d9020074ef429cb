// An assessment for people: text for the terminal, one self-contained HTML page for sharing.
import { formatSize } from "../base/units.ts";
import { show, table, title } from "../discover/table.ts";
import type { Assessment, Finding, Severity } from "./assessment.ts";
import { page } from "./report-page.ts";

const severities: readonly Severity[] = ["blocker", "warning", "note"];
const plural: Record<Severity, string> = { blocker: "blockers", warning: "warnings", note: "notes" };

export function countOf(assessment: Assessment, severity: Severity): number {
  return assessment.findings.filter((each) => each.severity === severity).length;
}

export function summaryOf(assessment: Assessment): string {
  return severities.map((severity) => `${countOf(assessment, severity)} ${plural[severity]}`).join(", ");
}

export function targetRows({ target }: Assessment): [string, string][] {
  return [
    [
      "target",
      `${target.name}: ${target.system || "unknown system"}, ${target.architecture}, kernel ${target.kernel}`,
    ],
    ["vsyscall page", target.vsyscall],
    ["control groups", target.cgroups],
    ["free space", `${formatSize(target.freeBytes)} at ${target.statePath}`],
    ["engines", target.engines.join(", ") || "none found"],
  ].map(([name = "", value = ""]): [string, string] => [name, show(value)]);
}

export function renderAssessment(assessment: Assessment): string {
  const head = [
    `${show(assessment.machine)}: ${show(assessment.system) || "unknown system"}`,
    `verdict: ${assessment.verdict} (${summaryOf(assessment)})`,
  ];
  const parts = [head.join("\n"), table([], targetRows(assessment))];
  for (const severity of severities) {
    const findings = assessment.findings.filter((each) => each.severity === severity);
    if (findings.length > 0) {
      parts.push(`${title(plural[severity], findings.length)}\n${findings.map(renderFinding).join("\n")}`);
    }
  }
  const clean = assessment.rules.filter((rule) => rule.findings === 0 && rule.skipped === "");
  parts.push(`nothing found by: ${clean.map((rule) => rule.id).join(", ") || "none"}`);
  const skipped = assessment.rules.filter((rule) => rule.skipped !== "");
  if (skipped.length > 0)
    parts.push(`not applied: ${skipped.map((rule) => `${rule.id} (${rule.skipped})`).join(", ")}`);
  return `${parts.join("\n\n")}\n`;
}

function renderFinding(each: Finding): string {
  const evidence = each.evidence.slice(0, 5).map((line) => `      ${show(line, 160)}`);
  const more = each.evidence.length > 5 ? [`      and ${each.evidence.length - 5} more`] : [];
  return [
    `  ${each.rule}: ${show(each.subject, 120)}`,
    ...evidence,
    ...more,
    `    effect: ${each.effect}`,
    `    remedy: ${each.remedy}`,
  ].join("\n");
}

/** One page without any outside asset. */
export function renderReport(assessment: Assessment): string {
  return page(assessment, summaryOf(assessment), targetRows(assessment));
}
