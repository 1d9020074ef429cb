// Pages of listings. A token says after which item to go on, and is good only for the same question.
import { hash } from "node:crypto";
import { invalidParameter } from "../api/ecs-error.ts";

export interface PageInput {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
}

interface Listing {
  /** What was asked: a token is good for nothing else. */
  question: string;
  /** Default: 100. */
  most?: number;
}

/** `keys` in their order; what is added behind or before the place of a token meanwhile makes nothing come twice. `compare` is that order. */
export function page(
  keys: readonly string[],
  input: PageInput,
  options: Listing & { compare?: (a: string, b: string) => number },
): { keys: string[]; nextToken?: string } {
  const size = sizeOf(input, options);
  const compare = options.compare ?? ((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const after = readToken(input, options, "string");
  const rest = (after === undefined ? [...keys] : keys.filter((key) => compare(key, after) > 0)).sort(
    compare,
  );
  const shown = rest.slice(0, size);
  const last = shown.at(-1);
  if (rest.length <= size || last === undefined) return { keys: shown };
  return { keys: shown, nextToken: tokenOf(input, options, last) };
}

/** The same of what has numbers and comes in their order: no more is looked at than is shown, and what was shown before. */
export function pageByNumber<T>(
  items: Iterable<T>,
  numberOf: (item: T) => number,
  input: PageInput,
  options: Listing,
): { items: T[]; nextToken?: string } {
  const size = sizeOf(input, options);
  const after = readToken(input, options, "number");
  const shown: T[] = [];
  for (const item of items) {
    if (after !== undefined && numberOf(item) <= after) continue;
    const last = shown.at(-1);
    if (shown.length === size && last !== undefined)
      return { items: shown, nextToken: tokenOf(input, options, numberOf(last)) };
    shown.push(item);
  }
  return { items: shown };
}

function sizeOf({ maxResults }: PageInput, { most = 100 }: Listing): number {
  const size = maxResults ?? most;
  if (!Number.isInteger(size) || size < 1 || size > most)
    throw invalidParameter(`maxResults must be between 1 and ${most}, not ${size}`);
  return size;
}

function questionOf(input: PageInput, { question }: Listing): string {
  return digest({ question, ...input, nextToken: undefined, maxResults: undefined });
}

function tokenOf(input: PageInput, listing: Listing, after: string | number): string {
  return Buffer.from(JSON.stringify([questionOf(input, listing), after])).toString("base64url");
}

function readToken(input: PageInput, listing: Listing, kind: "string"): string | undefined;
function readToken(input: PageInput, listing: Listing, kind: "number"): number | undefined;
function readToken(input: PageInput, listing: Listing, kind: "string" | "number"): unknown {
  if (input.nextToken === undefined) return undefined;
  try {
    const [asked, after] = JSON.parse(Buffer.from(input.nextToken, "base64url").toString()) as unknown[];
    if (asked === questionOf(input, listing) && typeof after === kind) return after;
  } catch {} // not one of ours
  throw invalidParameter("Invalid token: it was not given for this question.");
}

/** Of the values in a call, whatever the order of its members. */
export function digest(value: unknown): string {
  return hash("sha256", JSON.stringify(ordered(value)), "base64url").slice(0, 22);
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, ordered(member)]),
  );
}
