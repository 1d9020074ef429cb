// The evidence document: stored beside the image, it answers `why` for every path. It alone holds machine names and times.
import { TranshipError } from "../../base/errors.ts";
import type { Reason } from "../../closure/reason.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes, unescapeBytes } from "../../formats/escape.ts";
import type { Deviation } from "../pack/pack-entries.ts";
import type { Plan } from "../plan/plan.ts";
import { agreementText, type Evidence } from "./evidence.ts";
import { describeReason } from "./reason-text.ts";

/** 2: `witnesses`. Version 1 is read as a document without it. */
const evidenceVersion = 2;

export interface EvidenceDocument {
  schema: "tranship/evidence";
  version: number;
  tool: string;
  machine: string;
  captured: string;
  /** Digest of the plan that was carried out, as its file has it. */
  plan?: string;
  /** When it was carried out. */
  packed?: string;
  /** Beside a plan: the digest of its file. */
  planFile?: string;
  /** How the application was exercised; empty for captures from a data base. */
  exercised: string[];
  programs: { path: string; command: string[]; starts: number }[];
  /** Reasons are told once and named by their number. */
  reasons: string[];
  /** Path -> numbers of its reasons. */
  paths: Record<string, number[]>;
  excluded: Record<string, string>;
  candidates: Record<string, string>;
  missing: Record<string, string>;
  /** Paths whose content was read from a running process, with the reason. */
  recovered?: Record<string, string>;
  /** What was opened, by who saw it; absent where only one witness watched. */
  witnesses?: { both: number; tracerOnly: string[]; witnessOnly: string[] };
}

export interface EvidenceParts {
  plan: Plan;
  reasons: ReadonlyMap<ByteString, readonly Reason[]>;
  evidence: Evidence | undefined;
  exercised: readonly string[];
  tool: string;
  recovered?: ReadonlyMap<ByteString, string> | undefined;
}

/**
 * JSON of an EvidenceDocument. Written path by path: a machine has hundreds of thousands, and the text alone is a tenth of what an
 * object with all of them takes.
 */
export function evidenceJson(parts: EvidenceParts): string {
  const { plan, evidence } = parts;
  const numbers = new Map<string, number>();
  const paths = pathsJson(parts, numbers);
  const table = (list: Plan["excluded"]) =>
    Object.fromEntries(list.map((one) => [escapeBytes(one.path), one.why]));
  const document: EvidenceDocument = {
    schema: "tranship/evidence",
    version: evidenceVersion,
    tool: parts.tool,
    machine: plan.source.machine,
    captured: new Date().toISOString(),
    exercised: [...parts.exercised],
    programs: [...(evidence?.programs.values() ?? [])].map((program) => ({
      path: escapeBytes(program.path),
      command: program.argv.map(escapeBytes),
      starts: program.count,
    })),
    reasons: [...numbers.keys()],
    paths: {},
    excluded: table(plan.excluded),
    candidates: table(plan.candidates),
    missing: table(plan.missing),
    ...(parts.recovered === undefined || parts.recovered.size === 0
      ? {}
      : {
          recovered: Object.fromEntries([...parts.recovered].map(([path, why]) => [escapeBytes(path), why])),
        }),
    ...(evidence?.agreement === undefined ? {} : { witnesses: agreementText(evidence.agreement) }),
  };
  const { paths: _none, ...rest } = document;
  return `${JSON.stringify(rest).slice(0, -1)},"paths":{${paths}}}`;
}

/** `"PATH":[NUMBER...]` of each planned path; `numbers` gets the reasons. */
function pathsJson({ plan, reasons }: EvidenceParts, numbers: Map<string, number>): string {
  const numberOf = (text: string): number => {
    const known = numbers.get(text);
    if (known !== undefined) return known;
    numbers.set(text, numbers.size);
    return numbers.size - 1;
  };
  // Lists and reasons are shared by most files of an installed package: each is told once.
  const ofReason = new Map<Reason, number>();
  const ofList = new Map<readonly Reason[], string>();
  const listOf = (list: readonly Reason[]): string => {
    let text = ofList.get(list);
    if (text !== undefined) return text;
    text = list
      .map((reason) => {
        const number = ofReason.get(reason) ?? numberOf(describeReason(reason));
        ofReason.set(reason, number);
        return number;
      })
      .join();
    ofList.set(list, text);
    return text;
  };
  const edited = new Map((plan.edited ?? []).map((one) => [one.path, one.why]));
  const told = new TextJoiner();
  for (const group of plan.groups) {
    for (const path of group.files) {
      const known = reasons.get(path);
      const why =
        known === undefined ? String(numberOf(group.why === "" ? "in the plan" : group.why)) : listOf(known);
      const also = edited.get(path);
      const more = also === undefined ? "" : `${why === "" ? "" : ","}${numberOf(also)}`;
      told.add(`${JSON.stringify(escapeBytes(path))}:[${why}${more}]`);
    }
  }
  return told.text();
}

const chunkSize = 1 << 20;

/** Joins by commas, outside of the collector's memory: a hundred thousand small texts take five times their room there. */
class TextJoiner {
  readonly #chunks: Buffer[] = [];
  #used = 0;

  add(piece: string): void {
    const room = (piece.length + 1) * 3;
    const last = this.#chunks.at(-1);
    const fits = last !== undefined && this.#used + room <= last.length;
    const chunk = fits ? last : Buffer.allocUnsafeSlow(Math.max(room, chunkSize));
    if (!fits) this.#begin(chunk);
    if (this.#used > 0 || this.#chunks.length > 1) this.#used += chunk.write(",", this.#used);
    this.#used += chunk.write(piece, this.#used);
  }

  #begin(chunk: Buffer): void {
    const last = this.#chunks.pop();
    if (last !== undefined) this.#chunks.push(last.subarray(0, this.#used));
    this.#chunks.push(chunk);
    this.#used = 0;
  }

  text(): string {
    const last = this.#chunks.pop();
    const whole = this.#chunks.splice(0).map((chunk) => chunk.toString());
    return whole.join("") + (last?.toString("utf8", 0, this.#used) ?? "");
  }
}

/** The evidence of an edited plan: what was known of its paths, and the group's sentence for those that a person added. */
export function evidenceForPlan(document: EvidenceDocument, plan: Plan): EvidenceDocument {
  const reasons = [...document.reasons];
  const paths: Record<string, number[]> = {};
  for (const group of plan.groups) {
    for (const path of group.files.map(escapeBytes)) {
      const known = Object.hasOwn(document.paths, path) ? document.paths[path] : undefined;
      paths[path] = known ?? [reasons.push(`added to the plan: ${group.why || group.name}`) - 1];
    }
  }
  const excluded = { ...document.excluded };
  for (const path of Object.keys(document.paths))
    if (!Object.hasOwn(paths, path)) excluded[path] = "removed from the plan";
  return { ...document, reasons, paths, excluded };
}

/** What was packed although it was not what was planned, with the sentence that says so. Takes and gives JSON text. */
export function recordDeviations(evidence: string, deviations: readonly Deviation[]): string {
  if (deviations.length === 0) return evidence;
  const document = JSON.parse(evidence) as EvidenceDocument;
  const reasonOf = (text: string): number => {
    const known = document.reasons.indexOf(text);
    return known >= 0 ? known : document.reasons.push(text) - 1;
  };
  for (const { path, what, data } of deviations) {
    const key = escapeBytes(path);
    const words = data ? "data of a volume, taken as it was when it was packed" : "taken by --accept-changes";
    if (what === "gone") {
      delete document.paths[key];
      document.excluded[key] = "gone since the plan was made";
    } else {
      document.paths[key] = [
        ...(document.paths[key] ?? []),
        reasonOf(`${what} since the plan was made: ${words}`),
      ];
    }
  }
  return JSON.stringify(document);
}

/** What the two functions below add stands at the end, so that nobody has to read all that is before it. */
const added =
  /(?:,"planFile":"sha256:[0-9a-f]{64}")?(?:,"plan":"sha256:[0-9a-f]{64}","packed":"[0-9TZ:.-]{20,30}")?\}$/;

/** In pieces: as one text it would be there twice. */
function* withAdded(evidence: string, fields: Readonly<Record<string, string>>): Generator<string> {
  const end = Math.max(0, evidence.length - 300);
  for (let at = 0; at < end; at += chunkSize) yield evidence.slice(at, Math.min(end, at + chunkSize));
  yield `${evidence.slice(end).replace(added, "")},${JSON.stringify(fields).slice(1)}`;
}

/** Where the package comes from, beside machine, time and tool: which plan was carried out, and when. Takes JSON text, gives it in pieces. */
export function recordPacking(
  evidence: string,
  packing: { plan: string; packed: string },
): Generator<string> {
  return withAdded(evidence, packing);
}

/** Beside a plan that is written: the digest of the plan's file, by which it is known again when nobody has edited it. */
export function recordPlanFile(evidence: string, digest: string): Generator<string> {
  return withAdded(evidence, { planFile: digest });
}

/** Whether this is the evidence that was written beside the plan of this digest, by a tool that writes the same form. */
export function isBeside(evidence: string, digest: string): boolean {
  const head = `{"schema":"tranship/evidence","version":${evidenceVersion},`;
  return evidence.startsWith(head) && evidence.endsWith(`,"planFile":"${digest}"}`);
}

export interface Answer {
  packed: boolean;
  /** Reasons why it is in; or the one why it is not; empty where nothing is known of it. */
  because: string[];
}

export function readEvidenceDocument(bytes: Uint8Array, name: string): EvidenceDocument {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new TranshipError("E_IMAGE_CORRUPT", `the evidence of ${name} is not JSON`, { cause });
  }
  const document = value as Partial<EvidenceDocument> | null;
  if (
    document?.schema !== "tranship/evidence" ||
    typeof document.version !== "number" ||
    document.version > evidenceVersion
  ) {
    throw new TranshipError(
      "E_IMAGE_UNSUPPORTED",
      `the evidence of ${name} has a form that this tool does not know`,
      {
        hint: "use the newer Tranship that made the package",
      },
    );
  }
  return document as EvidenceDocument;
}

/** Where /bin is a link to usr/bin, people still say /bin/ls. */
function mergedName(document: EvidenceDocument, path: string): string | undefined {
  if (!/^\/(bin|sbin|lib|lib32|lib64|libx32)\//.test(path)) return undefined;
  return Object.hasOwn(document.paths, `/usr${path}`) ? `/usr${path}` : undefined;
}

/** path as a person types it. */
export function whyOf(document: EvidenceDocument, path: string): Answer {
  const typed = escapeBytes(unescapeBytes(path.length > 1 ? path.replace(/\/+$/, "") : path));
  const key = Object.hasOwn(document.paths, typed) ? typed : (mergedName(document, typed) ?? typed);
  const numbers = Object.hasOwn(document.paths, key) ? document.paths[key] : undefined;
  if (numbers !== undefined) {
    const recovered = document.recovered;
    const how =
      recovered !== undefined && Object.hasOwn(recovered, key) ? [`recovered: ${recovered[key]}`] : [];
    return {
      packed: true,
      because: [...numbers.map((number) => document.reasons[number] ?? "unknown"), ...how],
    };
  }
  if (key === "/.tranship" || key.startsWith("/.tranship/"))
    return { packed: true, because: ["put in by Tranship: init and the compiled descriptor"] };
  const told: string[] = [];
  if (Object.hasOwn(document.excluded, key))
    told.push(`left out: ${document.excluded[key]?.replace(/^left out /, "")}`);
  if (Object.hasOwn(document.candidates, key))
    told.push(`reachable, not packed: ${document.candidates[key]}`);
  if (Object.hasOwn(document.missing, key)) told.push(`not on the source: ${document.missing[key]}`);
  return { packed: false, because: told };
}
