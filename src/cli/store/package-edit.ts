// tranship package edit: by an editor, by --set and --unset, or by a whole text from a file or standard input. Nothing is kept
// that is not valid, and nothing that was typed is lost: an edited text lies in a file until the package has it.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { createExclusive, makeDirectory } from "../../host/files.ts";
import { run as runProgram } from "../../host/process.ts";
import { randomHex } from "../../host/random.ts";
import { changeDescriptor } from "../../image/change-descriptor.ts";
import { compileDescriptor } from "../../package/compiled.ts";
import { type Change, changeText, parseChange } from "../../package/edit.ts";
import { descriptorSchema } from "../../package/schema.ts";
import { describe, readDocument } from "../../package/yaml.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { ask } from "../questions.ts";
import { type Call, flag, list, text } from "../verb.ts";
import { nameFor, type Packaged, packagedOf, readGiven } from "./packaged.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [reference = ""] = call.args;
  const packaged = packagedOf(context, reference);
  const name = nameFor(packaged, reference, text(call.options, "tag"));
  const changed = await newText(call, context, packaged, reference);
  const problems = problemsOf(changed.text, reference);
  if (problems !== undefined) throw refused(problems, changed.file, reference);
  const dryRun = flag(call.options, "dryRun");
  if (changed.text === packaged.text && name === packaged.image.name) {
    if (changed.file !== undefined) rmSync(changed.file, { force: true });
    tell(call, context, { name, digest: packaged.image.target.digest, changed: false, size: 0, dryRun });
    return;
  }
  for (const problem of readDocument(changed.text, descriptorSchema).unknown)
    context.log.warn(describe(problem));
  if (dryRun) {
    if (isForPeople(call)) context.print(changed.text);
    else tell(call, context, { name, digest: "", changed: true, size: 0, dryRun });
    return;
  }
  try {
    const { indexDigest, size } = await changeDescriptor(packaged.store, packaged.image, changed.text, name);
    tell(call, context, { name, digest: indexDigest, changed: true, size, dryRun });
  } catch (error) {
    throw withFile(error, changed.file);
  }
  if (changed.file !== undefined) rmSync(changed.file, { force: true });
}

interface NewText {
  text: string;
  /** Where an edited text lies until it is in the package. */
  file: string | undefined;
}

async function newText(
  call: Call,
  context: Context,
  packaged: Packaged,
  reference: string,
): Promise<NewText> {
  const changes: Change[] = list(call.options, "changes").map((entry) => {
    const cut = entry.indexOf(" ");
    const words = entry.slice(cut + 1);
    return entry.startsWith("unset ") ? { key: words, value: undefined } : parseChange(words);
  });
  const given = text(call.options, "file");
  if (given !== undefined || changes.length > 0) {
    const before = given === undefined ? packaged.text : readGiven(given);
    return { text: changes.length === 0 ? before : changeText(before, changes), file: undefined };
  }
  const chosen = process.env.VISUAL || process.env.EDITOR;
  if (call.options.input === false || (context.noInput && !chosen)) {
    throw new TranshipError("E_USAGE", "there is no terminal for an editor", {
      hint: "use --set KEY=VALUE, or --file FILE (- is standard input)",
    });
  }
  return await edited(context, packaged.text, reference);
}

/** Opens the editor again until the text is valid, or the person gives up; then it stays in its file. */
async function edited(context: Context, before: string, reference: string): Promise<NewText> {
  const directory = join(context.root.path, "edits");
  makeDirectory(directory);
  const file = join(directory, `${reference.replace(/[^\w.-]+/g, "_").slice(0, 80)}-${randomHex(6)}.yaml`);
  createExclusive(file, before);
  for (;;) {
    const status = await openEditor(file);
    const now = existsSync(file) ? readFileSync(file, "utf8") : "";
    if (status === 0 && now.trim() === "") {
      rmSync(file, { force: true });
      throw new TranshipError("E_TOOL_FAILED", `the editor left no text: ${reference} was not changed`, {
        hint: "leave the text as it is to change nothing",
      });
    }
    if (status !== 0) {
      if (now === before) rmSync(file, { force: true });
      throw new TranshipError(
        "E_TOOL_FAILED",
        `the editor ended with status ${status}: nothing was changed`,
        {
          hint: now === before ? "set EDITOR to another one" : `what you wrote is in ${file}`,
        },
      );
    }
    const problems = now === before ? undefined : problemsOf(now, reference);
    if (problems === undefined) return { text: now, file };
    for (const problem of problems) context.log.error(problem);
    // --yes would ask the same editor for the same for ever.
    if (context.yes || !(await ask("edit it again", context))) throw refused(problems, file, reference);
  }
}

async function openEditor(file: string): Promise<number> {
  const editor = process.env.VISUAL || process.env.EDITOR || "vi";
  // The words of EDITOR are the shell's: "code --wait".
  const result = await runProgram("sh", ["-c", `exec ${editor} "$1"`, "sh", file], { inherit: true });
  return result.status;
}

/** undefined: it is valid and can be carried out. */
function problemsOf(words: string, reference: string): string[] | undefined {
  const { problems } = readDocument(words, descriptorSchema);
  if (problems.length > 0) return problems.map(describe);
  try {
    compileDescriptor(words, reference);
    return undefined;
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

function refused(problems: readonly string[], file: string | undefined, reference: string): TranshipError {
  return new TranshipError("E_DESCRIPTOR_INVALID", `${reference} was not changed: ${problems.join("; ")}`, {
    hint:
      file === undefined
        ? "docs/reference/package.md lists the keys of a descriptor"
        : `what you wrote is in ${file}; go on with \`tranship package edit --file ${file} ${reference}\``,
    details: { problems, ...(file === undefined ? {} : { file }) },
  });
}

function withFile(error: unknown, file: string | undefined): unknown {
  if (!(error instanceof TranshipError) || file === undefined) return error;
  const { code, message, details, cause } = error;
  return new TranshipError(code, message, { hint: `what you wrote is in ${file}`, details, cause });
}

interface Outcome {
  name: string;
  digest: string;
  changed: boolean;
  size: number;
  dryRun: boolean;
}

function isForPeople(call: Call): boolean {
  const format = text(call.options, "format");
  return format === undefined || format === "table";
}

function tell(call: Call, context: Context, outcome: Outcome): void {
  if (!isForPeople(call)) context.print(printValue(outcome, text(call.options, "format") ?? "json"));
  else if (!outcome.changed) context.print("nothing was changed");
  else {
    context.print(`${outcome.name} ${outcome.digest}`);
    context.say(`${formatSize(outcome.size)} of new documents, no layer`);
  }
}
