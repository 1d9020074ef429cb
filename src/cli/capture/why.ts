import { posix } from "node:path";
import { exitStatus, isTranshipError, TranshipError } from "../../base/errors.ts";
import { whyOf } from "../../capture/evidence/evidence-document.ts";
import { evidenceOf } from "../../capture/evidence/read-evidence.ts";
import { encodeText, escapeBytes, unescapeBytes } from "../../formats/escape.ts";
import { describeRule, explainRule, placeBy, type RuleAnswer } from "../../redirect/explain.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";
import { type Source, sourcesOf } from "./why-sources.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const [reference = "", asked = ""] = call.args;
  if (!asked.startsWith("/"))
    throw new TranshipError("E_USAGE", `${JSON.stringify(asked)} is not an absolute path`);
  const path = posix.normalize(asked).replace(/(.)\/$/, "$1");
  const sources = await sourcesOf(context, reference);
  const redirected = ruleOf(sources, path);
  const meant = redirected === undefined ? path : redirected.target;
  const answer =
    meant === null
      ? hidden
      : answerOf(context, reference, meant, { sources, ruled: redirected !== undefined });
  const format = text(call.options, "format");
  if (format !== undefined && format !== "table")
    context.print(printValue({ path, ...answer, redirected: redirected ?? null }, format));
  else
    context.print(
      [
        ...(redirected === undefined ? [] : describeRule(path, redirected, redirected.package)),
        ...(meant === null ? [] : describeAnswer(reference, meant, answer)),
      ].join("\n"),
    );
  return answer.packed ? exitStatus.done : exitStatus.no;
}

function describeAnswer(
  reference: string,
  path: string,
  { packed, because, package: linked }: Answer,
): string[] {
  const where = linked === undefined ? reference : `${linked}, which ${reference} links to`;
  return [
    `${escapeBytes(unescapeBytes(path))} is ${packed ? "" : "not "}in ${where}:`,
    ...(because.length > 0 ? because : [nothing(path)]).map((one) => `  ${one}`),
  ];
}

/** What the shell hands over as other bytes than UTF-8 comes to us as this character. */
function nothing(path: string): string {
  const bytes = path.includes("\ufffd") ? "; write a byte that is no UTF-8 as \\xNN" : "";
  return `nothing asked for it${bytes}`;
}

interface Answer {
  readonly packed: boolean;
  readonly because: readonly string[];
  /** The linked package that has it; absent: the package itself is spoken of. */
  readonly package?: string;
}

const hidden: Answer = { packed: false, because: [] };

/** A package without evidence can still tell of its rules and links. `ruled`: a rule leads to the path. */
function answerOf(
  context: Context,
  reference: string,
  path: string,
  { sources, ruled }: { sources: readonly Source[]; ruled: boolean },
): Answer {
  const having = sources.find(({ tree }) => placeIn(tree, path) !== undefined);
  const linked = having !== undefined && having !== sources[0] ? having.reference : undefined;
  try {
    const told = whyOf(evidenceOf(context.root, linked ?? reference), path);
    return linked === undefined ? told : { ...told, packed: true, package: linked };
  } catch (error) {
    if ((!ruled && linked === undefined) || !isTranshipError(error, "E_IMAGE_UNSUPPORTED")) throw error;
    const because = ["the package carries no evidence"];
    return { packed: having !== undefined, because, ...(linked === undefined ? {} : { package: linked }) };
  }
}

function placeIn(tree: Source["tree"], path: string): string | undefined {
  const found = tree.resolve(encodeText(path), true);
  return found === undefined || !tree.has(found) ? undefined : escapeBytes(found);
}

interface Redirected extends RuleAnswer {
  /** The linked package that the rule is of; `rule` counts those of that one. */
  readonly package?: string;
}

/** The rule that decides for the path: of the package, or of one that it links to. */
function ruleOf(sources: readonly Source[], path: string): Redirected | undefined {
  const files = sources.flatMap((source) => source.files);
  if (files.length === 0) return undefined;
  const look = (one: string): string | undefined => {
    for (const { tree } of sources) {
      const found = placeIn(tree, one);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const answer = explainRule(files, path, placeBy(look));
  if (answer === undefined) return undefined;
  let { rule } = answer;
  for (const [index, source] of sources.entries()) {
    if (rule < source.files.length)
      return { ...answer, rule, ...(index === 0 ? {} : { package: source.reference }) };
    rule -= source.files.length;
  }
  return answer;
}
