// tranship package lint: exit status 3 where something blocks.
import { exitStatus } from "../../base/errors.ts";
import { secretByName } from "../../capture/application/secrets.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import { kernelPartByPath } from "../../formats/kernel-part.ts";
import { parseGroup, parsePasswd } from "../../formats/passwd.ts";
import { type MergedTree, treeOfImage } from "../../image/merged-tree.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { type LintFinding, lintDescriptor, type PackageFiles } from "../../package/lint.ts";
import { descriptorSchema } from "../../package/schema.ts";
import { lineFinder, type Problem, readDocument, wherePath } from "../../package/yaml.ts";
import { lintRedirections } from "../../redirect/lint.ts";
import { type LinksInStore, linksInStore } from "../../runtime/links.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { type Packaged, packagedOf, readGiven } from "./packaged.ts";

export interface LintReport {
  reference: string;
  errors: number;
  warnings: number;
  findings: ReportedFinding[];
}

interface ReportedFinding {
  id: string;
  severity: "error" | "warning";
  /** null: of the package as a whole. */
  line: number | null;
  where: string;
  message: string;
  hint: string;
}

export async function run(call: Call, context: Context): Promise<number> {
  const [reference = ""] = call.args;
  const file = text(call.options, "descriptor");
  const packaged = packagedOf(context, reference, file !== undefined);
  const words = file === undefined ? packaged.text : readGiven(file);
  const document = readDocument<Descriptor>(words, descriptorSchema);
  const links =
    document.value === undefined
      ? { missing: [], names: [] }
      : await linksInStore(context.root, document.value);
  const files = flag(call.options, "textOnly") ? undefined : await filesWith(packaged, links);
  const report = lintReport(reference, words, { document, files, links });
  const format = text(call.options, "format");
  context.print(format === undefined || format === "table" ? reportText(report) : printValue(report, format));
  return report.errors > 0 ? exitStatus.blocked : exitStatus.done;
}

const most = 4 << 20;

/** What its programs see. What must not be in a package is looked for in its own layers alone. */
async function filesWith({ store, image }: Packaged, { names }: LinksInStore): Promise<PackageFiles> {
  const keep = { "/etc/passwd": most, "/etc/group": most };
  const own = filesOf(await treeOfImage(store, image, keep));
  if (names.length === 0) return own;
  const below = names.map((name) => store.image(name));
  const { secrets, kernelParts } = own;
  return { ...filesOf(await treeOfImage(store, image, keep, below)), secrets, kernelParts };
}

interface Looked {
  document: ReturnType<typeof readDocument<Descriptor>>;
  files: PackageFiles | undefined;
  links: LinksInStore;
}

function lintReport(reference: string, words: string, { document, files, links }: Looked): LintReport {
  const { value, problems, unknown } = document;
  const findings = [
    ...problems.map((one) => reported("invalid", "error", one)),
    ...unknown.map((one) => reported("unknown-key", "warning", one)),
  ];
  if (value !== undefined) {
    const lineOf = lineFinder(words);
    for (const { id, severity, path, message, hint } of [
      ...lintDescriptor(value, files),
      ...lintRedirections(value, files),
      ...links.missing.map((index) => linkMissing(value.links, index)),
    ]) {
      const line = path.length === 0 ? null : (lineOf(path) ?? null);
      findings.push({ id, severity, line, where: wherePath(path), message, hint });
    }
  }
  findings.sort((a, b) => (a.line ?? Number.MAX_SAFE_INTEGER) - (b.line ?? Number.MAX_SAFE_INTEGER));
  const errors = findings.filter((one) => one.severity === "error").length;
  return { reference, errors, warnings: findings.length - errors, findings };
}

function linkMissing(links: readonly string[], index: number): LintFinding {
  return {
    id: "link-missing",
    severity: "warning",
    path: ["links", index],
    message: `no package of this store has the id ${JSON.stringify(links[index])}`,
    hint: "`run` needs it here: pull, capture or import it",
  };
}

function reported(id: string, severity: ReportedFinding["severity"], problem: Problem): ReportedFinding {
  const { line, where, message, hint } = problem;
  const general =
    id === "invalid" ? "docs/reference/package.md lists the keys" : "keys of your own begin with x-";
  return { id, severity, line: line ?? null, where, message, hint: hint ?? general };
}

function reportText({ reference, errors, warnings, findings }: LintReport): string {
  const lines = findings.flatMap(({ id, severity, line, where, message, hint }) => {
    const at = [line === null ? "" : `line ${line}: `, where === "" ? "" : `${where}: `].join("");
    return [`${severity}[${id}]: ${at}${message}`, `  hint: ${hint}`];
  });
  return [...lines, `${reference}: ${errors} errors, ${warnings} warnings`].join("\n");
}

/** The files of a package by text paths; names of other bytes are reached by links alone. */
function filesOf(tree: MergedTree): PackageFiles {
  const names = (path: string, parse: (text: string) => { entries: { name: string }[] }) => {
    const bytes = tree.textOf(tree.resolve(path, true) ?? path) ?? tree.textOf(path);
    if (bytes === undefined) return undefined;
    return new Set(parse(Buffer.from(bytes).toString("latin1")).entries.map((entry) => entry.name));
  };
  return {
    look(path) {
      const at = tree.resolve(encodeText(path), true);
      if (at === undefined || !tree.has(at)) return undefined;
      const kind = tree.at(at)?.entry.kind ?? "directory";
      return {
        kind: kind === "file" || kind === "directory" ? kind : "other",
        executable: ((tree.at(at)?.entry.mode ?? 0) & 0o111) !== 0,
        empty: tree.namesIn(at).length === 0,
        path: escapeBytes(at),
      };
    },
    users: () => names("/etc/passwd", parsePasswd),
    groups: () => names("/etc/group", parseGroup),
    secrets() {
      const found: [string, string][] = [];
      for (const [path, { entry }] of tree.all()) {
        const reason = entry.kind === "file" && entry.size > 0 ? secretByName(path) : undefined;
        if (reason !== undefined) found.push([escapeBytes(path), reason]);
      }
      return found;
    },
    kernelParts() {
      const found: [string, string][] = [];
      for (const [path, { entry }] of tree.all()) {
        const reason = kernelPartByPath(path, entry.kind);
        if (reason !== undefined) found.push([escapeBytes(path), reason]);
      }
      return found;
    },
  };
}
