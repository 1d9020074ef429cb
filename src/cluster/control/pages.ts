// Pages of listings. A token says after which item to go on, and is good only for the same question.
import { createHash } from "node:crypto";
import { invalidParameter } from "../api/ecs-error.ts";

export interface PageInput {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
}

/** `keys` in their order; what is added behind or before the place of a token meanwhile makes nothing come twice. `compare` is that order. */
export function page(
  keys: readonly string[],
  input: PageInput,
  options: { question: string; most?: number; compare?: (a: string, b: string) => number },
): { keys: string[]; nextToken?: string } {
  const most = options.most ?? 100;
  const size = input.maxResults ?? most;
  if (!Number.isInteger(size) || size < 1 || size > most)
    throw invalidParameter(`maxResults must be between 1 and ${most}, not ${size}`);
  const compare = options.compare ?? ((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const question = digest({
    question: options.question,
    ...input,
    nextToken: undefined,
    maxResults: undefined,
  });
  const after = input.nextToken === undefined ? undefined : readToken(input.nextToken, question);
  const rest = (after === undefined ? [...keys] : keys.filter((key) => compare(key, after) > 0)).sort(
    compare,
  );
  const shown = rest.slice(0, size);
  const last = shown.at(-1);
  if (rest.length <= size || last === undefined) return { keys: shown };
  return { keys: shown, nextToken: Buffer.from(JSON.stringify([question, last])).toString("base64url") };
}

function readToken(token: string, question: string): string {
  try {
    const [asked, after] = JSON.parse(Buffer.from(token, "base64url").toString()) as unknown[];
    if (asked === question && typeof after === "string") return after;
  } catch {} // not one of ours
  throw invalidParameter("Invalid token: it was not given for this question.");
}

/** Of the values in a call, whatever the order of its members. */
export function digest(value: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(ordered(value)))
    .digest("base64url")
    .slice(0, 22);
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, ordered(member)]),
  );
}
