// What the demo shows by itself, beside the verbs: every page against the original, and that host and source are as they were.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { runOriginal } from "../../deploy/original-side.ts";
import type { Side } from "../../deploy/parity.ts";
import { makeWorkDirectory } from "../../host/work.ts";
import { openStore } from "../../image/store.ts";
import { parseDescriptor } from "../../package/yaml.ts";
import { withMachine } from "../capture/with-machine.ts";
import type { Context } from "../context.ts";
import { changes, type Listing, listTree } from "./listing.ts";
import { demoFiles } from "./old-machine.ts";
import { fetchPage } from "./pages.ts";

/** The original, started on an overlay over its own files; every page of it. */
export async function originalPages(context: Context, reference: string, address: string): Promise<Side> {
  const { root, log, signal } = context;
  const store = openStore(root);
  const yaml = store.descriptorYaml(store.image(reference));
  const descriptor = parseDescriptor(new TextDecoder().decode(yaml), reference);
  const work = makeWorkDirectory(root, "demo");
  try {
    return await withMachine({ address, options: {}, context }, (machine) =>
      runOriginal({
        root, reference, against: machine, machine, descriptor, work: work.path, exercise: join(demoFiles, "guestbook/every-page"),
        ports: [80], masks: [], secrets: {}, timeout: 120_000, log, signal,
      }),
    ); // biome-ignore format: short
  } finally {
    work.remove();
  }
}

export interface PageComparison {
  path: string;
  bytes: number;
  same: boolean;
}

/** Asks a port of this host for each page that the original was asked for. */
export async function comparePages(original: Side, port: number): Promise<PageComparison[]> {
  const compared: PageComparison[] = [];
  for (const { name, path } of pageList(original)) {
    const before = original.results.get(name);
    const { body } = await fetchPage({ port, path });
    compared.push({ path, bytes: body.length, same: before !== undefined && body.equals(before) });
  }
  if (compared.length === 0) throw new TranshipError("E_TEST_FAILED", "the original gave no pages");
  return compared;
}

/** every-page leaves its own list: a name and a path a line. */
function pageList(original: Side): { name: string; path: string }[] {
  const text = new TextDecoder().decode(original.results.get("pages.txt"));
  return text
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", path = ""] = line.split(" ");
      return { name, path };
    });
}

export interface Watched {
  /** What people call it. */
  what: string;
  listing: Listing;
}

/** Where an installation would show on a host; with content where that is small. */
const hostPlaces: readonly { path: string; content: boolean }[] = [
  { path: "/etc", content: true },
  { path: "/srv", content: true },
  { path: "/usr/local/etc", content: true },
  { path: "/boot", content: false },
  { path: "/usr/bin", content: false },
  { path: "/usr/sbin", content: false },
];

export async function watchHost(signal: AbortSignal): Promise<Watched> {
  const listing = new Map<string, string>();
  for (const { path, content } of hostPlaces.filter((place) => existsSync(place.path)))
    for (const [name, line] of await listTree(path, content, signal)) listing.set(name, line);
  return { what: `this host (${hostPlaces.map((place) => place.path).join(" ")})`, listing };
}

export async function watchSource(source: string, signal: AbortSignal): Promise<Watched> {
  return { what: `the old machine (${source})`, listing: await listTree(source, true, signal) };
}

/** Throws where anything differs; else one line that says how much was compared. */
export function unchanged(before: Watched, after: Watched): string {
  const changed = changes(before.listing, after.listing);
  if (changed.length === 0)
    return `  unchanged  ${before.what}: ${before.listing.size} objects by content, mode, owner and time`;
  throw new TranshipError(
    "E_TEST_FAILED",
    `${before.what} has changed: ${changed.slice(0, 5).join(", ")}${changed.length > 5 ? ` and ${changed.length - 5} more` : ""}`,
    { hint: "another program may have changed it while the demo ran" },
  );
}
