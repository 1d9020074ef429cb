// The evidence document: stored beside the image, it answers `why` for every path. It alone holds machine names and times.
import { TranshipError } from "../base/errors.ts";
import type { Reason } from "../closure/reason.ts";
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes, unescapeBytes } from "../formats/escape.ts";
import { agreementText, type Evidence } from "./evidence.ts";
import type { Deviation } from "./pack-entries.ts";
import type { Plan } from "./plan.ts";
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

export function makeEvidenceDocument(parts: EvidenceParts): EvidenceDocument {
  const { plan, evidence } = parts;
  const numbers = new Map<string, number>();
  const numberOf = (text: string): number => {
    const known = numbers.get(text);
    if (known !== undefined) return known;
    numbers.set(text, numbers.size);
    return numbers.size - 1;
  };
  // Most files of an installed package have the same reasons.
  const lists = new Map<string, number[]>();
  const shared = (list: number[]): number[] => {
    const known = lists.get(list.join());
    if (known === undefined) lists.set(list.join(), list);
    return known ?? list;
  };
  const paths: Record<string, number[]> = {};
  const edited = new Map((plan.edited ?? []).map((one) => [one.path, one.why]));
  for (const group of plan.groups) {
    for (const path of group.files) {
      const reasons = parts.reasons.get(path)?.map(describeReason) ?? [
        group.why === "" ? "in the plan" : group.why,
      ];
      const also = edited.get(path);
      const list = [...reasons, ...(also === undefined ? [] : [also])].map(numberOf);
      paths[escapeBytes(path)] = shared(list);
    }
  }
  const table = (list: Plan["excluded"]) =>
    Object.fromEntries(list.map((one) => [escapeBytes(one.path), one.why]));
  return {
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
    paths,
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

/** Where the package comes from, beside machine, time and tool: which plan was carried out, and when. Takes and gives JSON text. */
export function recordPacking(evidence: string, packing: { plan: string; packed: string }): string {
  const document = JSON.parse(evidence) as EvidenceDocument;
  return JSON.stringify({ ...document, ...packing } satisfies EvidenceDocument);
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
  if (Object.hasOwn(document.excluded, key)) told.push(`left out: ${document.excluded[key]}`);
  if (Object.hasOwn(document.candidates, key))
    told.push(`reachable, not packed: ${document.candidates[key]}`);
  if (Object.hasOwn(document.missing, key)) told.push(`not on the source: ${document.missing[key]}`);
  return { packed: false, because: told };
}
