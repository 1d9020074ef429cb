// A parity report as text and as one self-contained HTML file: no script, no outside asset, every foreign text escaped.
import { formatDuration } from "../base/units.ts";
import type { Comparison } from "./compare.ts";
import type { ParityReport } from "./parity.ts";

const verdicts: Record<ParityReport["verdict"], string> = {
  same: "the package behaves as the original does",
  differs: "the package differs from the original",
  healthy: "the package starts and answers",
  unhealthy: "the package does not answer as it should",
};

export function parityText(report: ParityReport): string {
  const lines: string[] = [];
  for (const side of report.sides) lines.push(sideText(side));
  const width = Math.max(...report.comparisons.map((one) => one.name.length), 4);
  for (const one of report.comparisons) {
    const values =
      report.against === undefined || one.original === one.packaged
        ? one.packaged
        : `${one.original} | ${one.packaged}`;
    lines.push(
      `  ${one.same ? "same" : "DIFF"}  ${one.kind.padEnd(11)} ${one.name.padEnd(width)}  ${values}`,
    );
    for (const line of one.difference) lines.push(`          ${line}`);
  }
  const different = report.comparisons.filter((one) => !one.same).length;
  lines.push(
    `${report.reference}: ${verdicts[report.verdict]} (${report.comparisons.length} comparisons, ${different} differ)`,
  );
  return lines.join("\n");
}

function sideText({ name, ended, startTime }: ParityReport["sides"][number]): string {
  return `${name}: ${ended ? "ended by itself" : "ready"} after ${formatDuration(startTime)}`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function row(one: Comparison): string {
  const difference =
    one.difference.length === 0 ? "" : `<pre>${one.difference.map(escapeHtml).join("\n")}</pre>`;
  const cells = [one.kind, one.name, one.original, one.packaged]
    .map((cell) => `<td>${escapeHtml(cell)}</td>`)
    .join("");
  return `<tr class="${one.same ? "same" : "diff"}"><td>${one.same ? "same" : "differs"}</td>${cells}<td>${difference}</td></tr>`;
}

const style = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.4rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d6dae0;vertical-align:top}
td{overflow-wrap:anywhere}pre{margin:0;white-space:pre-wrap;font-size:.85em}.verdict{padding:.6rem 1rem;border-left:4px solid}.good{border-color:#2a7d46}.bad{border-color:#b3372b}
tr.diff td:first-child{color:#b3372b;font-weight:600}tr.same td:first-child{color:#2a7d46}
@media (prefers-color-scheme:dark){body{color:#e4e7eb;background:#16191d}th,td{border-color:#3a4048}tr.diff td:first-child{color:#ff8a7d}tr.same td:first-child{color:#74d397}}
@media print{body{margin:0;max-width:none}}`;

export function parityHtml(report: ParityReport): string {
  const good = report.verdict === "same" || report.verdict === "healthy";
  const sorted = [...report.comparisons].sort((a, b) => Number(a.same) - Number(b.same));
  const sides = report.sides.map((side) => `<li>${escapeHtml(sideText(side))}</li>`).join("");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Parity of ${escapeHtml(report.reference)}</title>
<style>${style}</style></head>
<body><h1>Parity of ${escapeHtml(report.reference)}${report.against === undefined ? "" : ` with ${escapeHtml(report.against)}`}</h1>
<p class="verdict ${good ? "good" : "bad"}">${escapeHtml(verdicts[report.verdict])}: ${report.comparisons.length} comparisons, ${report.comparisons.filter((one) => !one.same).length} differ</p>
<ul>${sides}</ul>
<table><thead><tr><th>verdict</th><th>kind</th><th>what</th><th>original</th><th>package</th><th>difference</th></tr></thead>
<tbody>${sorted.map(row).join("\n")}</tbody></table></body></html>
`;
}
