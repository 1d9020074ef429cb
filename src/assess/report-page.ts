// The HTML page. Every text from the machine passes escapeHtml(); there is no script and nothing is loaded from outside.
import { show } from "../discover/table.ts";
import type { Assessment, Finding } from "./assessment.ts";

const style = `
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --soft: #57606a; --line: #d0d7de; --card: #f6f8fa;
  --blocker: #b42318; --warning: #9a6700; --note: #0550ae; --pass: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --text: #e6edf3; --soft: #9198a1; --line: #30363d;
  --card: #161b22; --blocker: #ff7b72; --warning: #d29922; --note: #79c0ff; --pass: #56d364; } }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.verdict { display: inline-block; padding: .1rem .7rem; border-radius: 1rem; border: 2px solid currentColor; font-weight: 600; }
.Blocked, .blocker { color: var(--blocker); } .Warning, .warning { color: var(--warning); } .note { color: var(--note); }
.Pass { color: var(--pass); }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .3rem .6rem;
  border-bottom: 1px solid var(--line); } th { color: var(--soft); font-weight: 600; white-space: nowrap; }
article { border: 1px solid var(--line); border-left: 4px solid; border-radius: 4px; padding: .6rem .9rem; margin: .7rem 0;
  background: var(--card); break-inside: avoid; }
article h3 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; } article p, article ul { color: var(--text); margin: .3rem 0; }
li, code { font-family: ui-monospace, monospace; font-size: .88em; overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; } :root { --card: #fff; } }
`;

export function page(assessment: Assessment, summary: string, target: readonly [string, string][]): string {
  const title = `Assessment of ${show(assessment.machine)}`;
  const rows = [
    ["machine", show(assessment.machine)],
    ["system", show(assessment.system) || "unknown"],
    ...target,
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p><span class="verdict ${assessment.verdict}">${assessment.verdict}</span> ${escapeHtml(summary)}</p>
<table>
${rows.map(([name = "", value = ""]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`).join("\n")}
</table>
<h2>Findings</h2>
${assessment.findings.length === 0 ? "<p>None.</p>" : assessment.findings.map(article).join("\n")}
<h2>Rules</h2>
<table>
<tr><th scope="col">Rule</th><th scope="col">What it looks at</th><th scope="col">Findings</th></tr>
${assessment.rules.map((rule) => `<tr><td><code>${escapeHtml(rule.id)}</code></td><td>${escapeHtml(rule.title)}</td><td>${rule.skipped === "" ? rule.findings : escapeHtml(rule.skipped)}</td></tr>`).join("\n")}
</table>
</body>
</html>
`;
}

function article(each: Finding): string {
  const evidence = each.evidence.map((line) => `<li>${escapeHtml(show(line))}</li>`).join("");
  return `<article class="${each.severity}">
<h3>${each.severity}: ${escapeHtml(show(each.subject))} <code>${escapeHtml(each.rule)}</code></h3>
${evidence === "" ? "" : `<ul>${evidence}</ul>`}
<p><strong>Effect:</strong> ${escapeHtml(each.effect)}</p>
<p><strong>Remedy:</strong> ${escapeHtml(each.remedy)}</p>
</article>`;
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
