// Makes docs/reference/cli.md and errors.md from the table of verbs and the table of errors, and the schemas of plan and package.
// With --check: exit 1 where a file is stale.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { errorCodes } from "../src/base/errors.ts";
import { planDifferenceSchema } from "../src/capture/plan/plan-diff.ts";
import { planSchema } from "../src/capture/plan/plan-schema.ts";
import { commonOptions } from "../src/cli/common-options.ts";
import { advice } from "../src/cli/general/advice.ts";
import { verbs } from "../src/cli/table/verbs.ts";
import type { Verb } from "../src/cli/verb.ts";
import { descriptorSchema } from "../src/package/schema.ts";

export function cliPage(): string {
  const shown = verbs.filter((verb) => verb.hidden !== true);
  let text = `# The command line

Made from the table of verbs (src/cli/table/); change it there and run \`npm run docs\`.

\`MACHINE\` is \`local:\` or \`rootfs:DIR\`. \`REF\` is an OCI reference, \`[registry/]name[:tag][@digest]\`. Ids may be shortened while unique.

Exit status: 0 done; 1 failed; 2 usage; 3 done, but blockers found; 4 the answer is no (not in the package, differs, not healthy).
\`run\` and \`exec\`: the program's own status, 128+n on a signal, 125 our failure, 126 cannot be invoked, 127 not found.

Flags that every verb takes:

${optionRows(commonOptions)}
`;
  for (const group of new Set(shown.map((verb) => verb.group))) {
    text += `\n## ${group}\n`;
    for (const verb of shown.filter((one) => one.group === group)) text += verbSection(verb);
  }
  return text;
}

function verbSection(verb: Verb): string {
  const words = (verb.arguments ?? []).map((argument) =>
    /^[[<]/.test(argument.name) ? argument.name : `<${argument.name}>`,
  );
  let text = `\n### \`tranship ${[verb.name, ...((verb.options ?? []).length > 0 ? ["[flags]"] : []), ...words].join(" ")}\`\n\n${verb.summary}.\n`;
  if (verb.description !== undefined) text += `\n${verb.description}\n`;
  text += `\n${verb.examples.map((line) => `    ${line}\n`).join("")}`;
  if ((verb.options ?? []).length > 0) text += `\n${optionRows(verb.options ?? [])}\n`;
  return text;
}

function optionRows(options: Verb["options"] & {}): string {
  const cell = (words: string) => words.replaceAll("|", "\\|");
  const rows = options.map((option) => {
    const notes = [
      option.many ? "may be repeated" : "",
      option.choices === undefined ? "" : `one of ${option.choices.join(", ")}`,
    ];
    if (option.default !== undefined) notes.push(`default ${String(option.default)}`);
    const more = notes.filter((note) => note !== "").join("; ");
    return `| \`${cell(option.flags)}\` | ${cell(option.summary)}${more === "" ? "" : ` (${cell(more)})`} |`;
  });
  return ["| flag | meaning |", "|---|---|", ...rows].join("\n");
}

export function errorsPage(): string {
  let text =
    "# Errors\n\nMade from src/base/errors.ts and src/cli/general/advice.ts; `tranship explain CODE` prints the same.\n";
  for (const [code, sentence] of Object.entries(errorCodes))
    text += `\n## ${code}\n\n${sentence}\n\n${advice[code as keyof typeof errorCodes]}\n`;
  return text;
}

/** The documents that pass between stages and that people edit, as JSON Schema 2020-12. */
function schemaOf(name: string, title: string, schema: z.ZodType): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return `${JSON.stringify({ $schema, $id: `tranship:${name}:v1alpha1`, title, ...rest }, null, 2)}\n`;
}

const reference = join(import.meta.dirname, "../docs/reference");
const schemas = join(import.meta.dirname, "../schemas");
export const pages: readonly (readonly [file: string, make: () => string])[] = [
  [join(reference, "cli.md"), cliPage],
  [join(reference, "errors.md"), errorsPage],
  [join(schemas, "package.schema.json"), () => schemaOf("package", "Package descriptor", descriptorSchema)],
  [join(schemas, "plan.schema.json"), () => schemaOf("plan", "Plan of a capture", planSchema)],
  [
    join(schemas, "plan-difference.schema.json"),
    () => schemaOf("plan-difference", "Difference of two plans", planDifferenceSchema),
  ],
];

if (import.meta.main) {
  for (const [file, make] of pages) {
    if (process.argv.includes("--check")) {
      if (readFileSync(file, "utf8") === make()) continue;
      console.error(`${file} is stale: run \`npm run docs\``);
      process.exitCode = 1;
    } else writeFileSync(file, make());
  }
}
