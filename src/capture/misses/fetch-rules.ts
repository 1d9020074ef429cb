// What an instance may not fetch from its source, although it lacks it: what no package may hold, and what the package left out on purpose.

import { isBelow } from "../../closure/tree.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { MachineFiles } from "../../machine/machine.ts";
import { secretIn } from "../application/secrets.ts";
import type { EvidenceDocument } from "../evidence/evidence-document.ts";
import { emptyDirectories, leftBehind } from "../plan/machine-rules.ts";

/** `entry`: as the source has it, by its canonical path. A sentence where it may not be fetched. */
export async function notToFetch(
  files: MachineFiles,
  entry: Entry,
  evidence: EvidenceDocument | undefined,
): Promise<string | undefined> {
  const { path } = entry;
  const excluded = excludedBy(evidence, path);
  if (excluded !== undefined) return excluded;
  if (emptyDirectories.some((one) => isBelow(path, one))) return "lives only while the old system runs";
  const left = leftBehind(entry);
  if (left !== undefined) return left;
  const secret = await secretIn(files, entry);
  return secret === undefined
    ? undefined
    : `secret: ${secret.reason}; give it with --secret, or pack it with --keep-secret`;
}

/** What the capture left out with its reason; what lies below it is left out with it. */
function excludedBy(evidence: EvidenceDocument | undefined, path: ByteString): string | undefined {
  if (evidence === undefined) return undefined;
  for (let at = path; at.length > 1; at = at.slice(0, Math.max(1, at.lastIndexOf("/")))) {
    const key = escapeBytes(at);
    if (Object.hasOwn(evidence.excluded, key)) return evidence.excluded[key];
  }
  return undefined;
}
