// The parity test: the same exercise on the original and on the package, each side started alone, then compared.

import { TranshipError } from "../base/errors.ts";
import { type Log, silentProgress } from "../base/log.ts";
import { knownDataDirectories } from "../capture/data/data-directories.ts";
import { withHostRoot } from "../capture/sandbox/staged.ts";
import type { StateRoot } from "../host/state-root.ts";
import { makeWorkDirectory } from "../host/work.ts";
import { openStore } from "../image/store.ts";
import type { Machine } from "../machine/machine.ts";
import type { Descriptor } from "../package/descriptor.ts";
import { parseDescriptor } from "../package/yaml.ts";
import { type Comparison, compareSides } from "./compare.ts";
import { runOriginal } from "./original-side.ts";
import type { OwnEnd } from "./own-end.ts";
import { runPackage } from "./package-side.ts";

export interface ParityRequest {
  root: StateRoot;
  reference: string;
  /** undefined: the package is only started and probed. */
  against: Machine | undefined;
  exercise: string | undefined;
  /** Ports to wait for and to probe; default those of the package. */
  ports: readonly number[];
  masks: readonly RegExp[];
  /** Path inside -> file of this host. */
  secrets: Readonly<Record<string, string>>;
  /** Milliseconds to wait for start and ports. */
  timeout: number;
  log: Log;
  signal: AbortSignal;
}

/** What was seen of one side. */
export interface Side {
  name: string;
  /** The exercise's own status; undefined without one. */
  status: number | undefined;
  /** What the exercise printed. */
  output: string;
  /** What it put into $TRANSHIP_RESULTS. */
  results: Map<string, Uint8Array>;
  /** One answer per probed port. */
  probes: Map<number, Probe>;
  /** Files that the application wrote, by path inside. */
  written: Map<string, WrittenFile>;
  /** The application ended by itself. */
  end?: OwnEnd;
  /** From start to ready, or to its end, milliseconds. */
  startTime: number;
}

export interface Probe {
  open: boolean;
  /** HTTP status line, where the port speaks HTTP. */
  status: string;
  body: string;
}

export interface WrittenFile {
  size: number;
  /** sha256; undefined where only the name counts (data base files). */
  digest: string | undefined;
}

export interface ParityReport {
  schema: "tranship/parity";
  version: 1;
  reference: string;
  against: string | undefined;
  verdict: "same" | "differs" | "healthy" | "unhealthy";
  comparisons: Comparison[];
  sides: { name: string; startTime: number; status: number | undefined; ended: boolean }[];
}

/** An original without a directory on this host is staged first. */
export async function testParity(request: ParityRequest): Promise<ParityReport> {
  const { against } = request;
  if (against === undefined || against.root !== undefined) return await compareHere(request);
  const tools = { ...request, progress: silentProgress };
  const whole = (await knownDataDirectories(against)).map(({ path }) => path);
  return await withHostRoot(against, { whole, empty: [] }, tools, (here) =>
    compareHere({ ...request, against: here }),
  );
}

async function compareHere(request: ParityRequest): Promise<ParityReport> {
  const store = openStore(request.root);
  const yaml = store.descriptorYaml(store.image(request.reference));
  if (yaml === undefined) {
    throw new TranshipError(
      "E_IMAGE_UNSUPPORTED",
      `${request.reference} is an image without a package descriptor`,
      { hint: "only packages can be tested" },
    );
  }
  const descriptor = parseDescriptor(new TextDecoder().decode(yaml), request.reference);
  const ports =
    request.ports.length > 0
      ? request.ports
      : descriptor.ports.filter((one) => one.protocol === "tcp").map((one) => one.port);
  const work = makeWorkDirectory(request.root, "test");
  try {
    const original =
      request.against === undefined
        ? undefined
        : await runOriginal({ ...request, ports, machine: request.against, descriptor, work: work.path });
    const packaged = await runPackage({
      ...request,
      ports,
      descriptor,
      work: work.path,
      endExpected: original?.end !== undefined,
    });
    return report(request, descriptor, original, packaged);
  } finally {
    work.remove();
  }
}

function report(
  request: ParityRequest,
  descriptor: Descriptor,
  original: Side | undefined,
  packaged: Side,
): ParityReport {
  const comparisons = compareSides(original, packaged, { masks: request.masks, descriptor });
  const good = comparisons.every((comparison) => comparison.same);
  return {
    schema: "tranship/parity",
    version: 1,
    reference: request.reference,
    against: request.against?.address,
    verdict: original === undefined ? (good ? "healthy" : "unhealthy") : good ? "same" : "differs",
    comparisons,
    sides: [original, packaged]
      .filter((side) => side !== undefined)
      .map(({ name, startTime, status, end }) => ({ name, startTime, status, ended: end !== undefined })),
  };
}
