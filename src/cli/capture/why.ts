import { posix } from "node:path";
import { exitStatus, isTranshipError, TranshipError } from "../../base/errors.ts";
import { whyOf } from "../../capture/evidence/evidence-document.ts";
import { evidenceOf } from "../../capture/evidence/read-evidence.ts";
import { encodeText, escapeBytes, unescapeBytes } from "../../formats/escape.ts";
import { treeOfImage } from "../../image/merged-tree.ts";
import { openStore } from "../../image/store.ts";
import { parseDescriptor } from "../../package/yaml.ts";
import { describeRule, explainRule, placeBy, type RuleAnswer } from "../../redirect/explain.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const [reference = "", asked = ""] = call.args;
  if (!asked.startsWith("/"))
    throw new TranshipError("E_USAGE", `${JSON.stringify(asked)} is not an absolute path`);
  const path = posix.normalize(asked).replace(/(.)\/$/, "$1");
  const { rule: redirected, inPackage } = await ruleOf(context, reference, path);
  const meant = redirected === undefined ? path : redirected.target;
  const answer = meant === null ? hidden : answerOf(context, reference, meant, inPackage);
  const format = text(call.options, "format");
  if (format !== undefined && format !== "table")
    context.print(printValue({ path, ...answer, redirected: redirected ?? null }, format));
  else
    context.print(
      [
        ...(redirected === undefined ? [] : describeRule(path, redirected)),
        ...(meant === null
          ? []
          : [
              `${escapeBytes(unescapeBytes(meant))} is ${answer.packed ? "" : "not "}in ${reference}:`,
              ...(answer.because.length > 0 ? answer.because : [nothing(meant)]).map((one) => `  ${one}`),
            ]),
      ].join("\n"),
    );
  return answer.packed ? exitStatus.done : exitStatus.no;
}

/** What the shell hands over as other bytes than UTF-8 comes to us as this character. */
function nothing(path: string): string {
  const bytes = path.includes("\ufffd") ? "; write a byte that is no UTF-8 as \\xNN" : "";
  return `nothing asked for it${bytes}`;
}

interface Answer {
  readonly packed: boolean;
  readonly because: readonly string[];
}

const hidden: Answer = { packed: false, because: [] };

/** A package without evidence can still tell of its rules. `inPackage`: whether what a rule leads to is there; undefined: no rule decides. */
function answerOf(context: Context, reference: string, path: string, inPackage: boolean | undefined): Answer {
  try {
    return whyOf(evidenceOf(context.root, reference), path);
  } catch (error) {
    if (inPackage === undefined || !isTranshipError(error, "E_IMAGE_UNSUPPORTED")) throw error;
    return { packed: inPackage, because: ["the package carries no evidence"] };
  }
}

interface Redirected {
  /** undefined: none decides. */
  readonly rule?: RuleAnswer | undefined;
  readonly inPackage?: boolean;
}

/** The rule of the package that decides for the path. Layers are read only where there are rules. */
async function ruleOf(context: Context, reference: string, path: string): Promise<Redirected> {
  const store = openStore(context.root);
  const image = store.image(reference);
  const yaml = store.descriptorYaml(image);
  if (yaml === undefined) return {};
  const { files } = parseDescriptor(new TextDecoder().decode(yaml), reference).redirections;
  if (files.length === 0) return {};
  const tree = await treeOfImage(store, image, {});
  const look = (one: string): string | undefined => {
    const found = tree.resolve(encodeText(one), true);
    return found === undefined || !tree.has(found) ? undefined : escapeBytes(found);
  };
  const rule = explainRule(files, path, placeBy(look));
  if (rule === undefined) return {};
  return { rule, inPackage: rule.target !== null && look(rule.target) !== undefined };
}
