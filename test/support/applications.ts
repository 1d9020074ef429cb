// The old machines of test/apps, each with one application: captured in several ways, then held against the original, check by check.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseDuration } from "../../src/base/units.ts";
import type { Captured, CaptureTools } from "../../src/capture/captured.ts";
import { packPlan } from "../../src/capture/carry-out.ts";
import { runOriginal } from "../../src/deploy/original-side.ts";
import { runPackage } from "../../src/deploy/package-side.ts";
import type { ParityRequest, Side } from "../../src/deploy/parity.ts";
import { installRoot } from "../../src/host/native.ts";
import type { StateRoot } from "../../src/host/state-root.ts";
import { makeWorkDirectory } from "../../src/host/work.ts";
import { originAnnotation } from "../../src/image/build.ts";
import { openStore } from "../../src/image/store.ts";
import { hostRoot, type Machine } from "../../src/machine/machine.ts";
import { openMachine } from "../../src/machine/open.ts";
import type { Descriptor } from "../../src/package/descriptor.ts";
import { type CapturedBy, captureBy, type Way, ways, wholeWays } from "./application-ways.ts";
import { quietContext } from "./lamp.ts";

export interface TriedApplication {
  /** A directory of test/apps. */
  name: string;
  service: string;
  port: number;
  /** How it is started, where the running one does not say so any more. */
  command?: string;
}

export const applications: readonly TriedApplication[] = [
  { name: "nginx", service: "nginx", port: 80 },
  { name: "apache-php", service: "apache2", port: 80 },
  { name: "mariadb", service: "mariadb", port: 3306 },
  { name: "postgresql", service: "postgresql@13-main", port: 5432 },
  {
    name: "redis",
    service: "redis-server",
    port: 6379,
    command: "exec /usr/bin/redis-server /etc/redis/redis.conf --supervised no --daemonize no",
  },
  { name: "tomcat", service: "tomcat9", port: 8080 },
  { name: "python-wsgi", service: "ledger", port: 8000 },
  { name: "perl-cgi", service: "lighttpd", port: 80 },
  { name: "exim", service: "exim4", port: 25 },
  { name: "bind9", service: "named", port: 53 },
  { name: "vsftpd", service: "vsftpd", port: 21 },
  { name: "ruby", service: "crane", port: 4567 },
];

export interface Attempt {
  application: string;
  way: Way;
  passed: number;
  total: number;
  /** The checks whose answers were others: name -> both. */
  failed: Map<string, string>;
  /** Why the package did not even start. */
  problem: string | undefined;
  paths: number;
  bytes: number;
  stored: number;
  /** diffIDs by origin. */
  layers: Map<string, string>;
}

const apps = join(installRoot, "test/apps");

/** undefined where the host can run the tests; else why it cannot. */
export function whyNoApplications(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  if (!existsSync("/usr/sbin/debootstrap")) return "needs debootstrap to build the old machines";
  return undefined;
}

/** Builds the machine where it is not built; returns its address. */
export function buildApplication(name: string): string {
  const directory = execFileSync(join(apps, "build"), [name], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return `rootfs:${directory.trim()}`;
}

/** Tries an application in each of the ways; the original is asked once. */
export async function tryApplication(
  application: TriedApplication,
  someWays: readonly Way[],
  root: StateRoot,
): Promise<Attempt[]> {
  const machine = await openMachine(buildApplication(application.name));
  const work = makeWorkDirectory(root, "tried");
  try {
    const script = join(work.path, "behaviour");
    const parts = ["checks.sh", `${application.name}/behaviour`].map((file) =>
      readFileSync(join(apps, file), "utf8"),
    );
    writeFileSync(script, parts.join("\n"));
    chmodSync(script, 0o755);
    const tried = new Trial(application, { machine, root, script, work: work.path });
    const attempts: Attempt[] = [];
    for (const way of someWays) attempts.push(await tried.attempt(way));
    return attempts;
  } finally {
    work.remove();
    await machine.close();
  }
}

interface Place {
  machine: Machine;
  root: StateRoot;
  script: string;
  work: string;
}

class Trial {
  readonly #application: TriedApplication;
  readonly #place: Place;
  #original: Side | undefined;
  #count = 0;

  constructor(application: TriedApplication, place: Place) {
    this.#application = application;
    this.#place = place;
  }

  async attempt(way: Way): Promise<Attempt> {
    const made: Attempt = {
      application: this.#application.name,
      way,
      passed: 0,
      total: 0,
      failed: new Map(),
      problem: undefined,
      paths: 0,
      bytes: 0,
      stored: 0,
      layers: new Map(),
    };
    try {
      await this.#try(way, made);
    } catch (error) {
      const cause = (error as Error).cause;
      made.problem = `${(error as Error).message} ${cause instanceof Error ? cause.message : ""}`.trim();
    }
    return made;
  }

  async #try(way: Way, made: Attempt): Promise<void> {
    const { machine, root } = this.#place;
    const work = join(this.#place.work, String(++this.#count));
    mkdirSync(work);
    const from = { machine, root, work, closure: this.#reference("+ closure") };
    const by = await captureBy(way, this.#application, from);
    try {
      await this.#pack(way, made, by);
      const original = await this.#askOriginal(by.captured);
      made.total = original.results.size;
      made.failed = new Map([...original.results.keys()].map((name) => [name, "not asked"]));
      const request = { ...this.#request(by.captured), reference: this.#reference(way) };
      const packaged = await runPackage(
        by.ownSecrets === true ? { ...request, secrets: secretsOf(by, work) } : request,
      );
      made.failed = differences(original, packaged);
      made.passed = made.total - made.failed.size;
    } finally {
      await by.close();
    }
  }

  async #pack(way: Way, made: Attempt, { captured, machine }: CapturedBy): Promise<void> {
    // Less than the closure may lack what its programs need: how much of them works then is what is measured.
    const allowUnmet = !wholeWays.includes(way);
    const reference = this.#reference(way);
    const image = await packPlan(machine, reference, { ...captured, allowUnmet }, this.#tools());
    made.paths = captured.plan.groups.reduce((sum, group) => sum + group.files.length, 0);
    made.bytes = image.layers.reduce((sum, layer) => sum + layer.contentSize, 0);
    made.stored = image.layers.reduce((sum, layer) => sum + layer.compressedSize, 0);
    for (const layer of openStore(this.#place.root).image(reference).layers)
      made.layers.set(layer.descriptor.annotations?.[originAnnotation] ?? "", layer.diffId);
  }

  #tools(): CaptureTools {
    return { ...quietContext(this.#place.root), tool: "test" };
  }

  #reference(way: Way): string {
    return `${this.#application.name}-${ways.indexOf(way)}`;
  }

  async #askOriginal(captured: Captured): Promise<Side> {
    this.#original ??= await runOriginal({ ...this.#request(captured), machine: this.#place.machine });
    return this.#original;
  }

  #request(captured: Captured): ParityRequest & { descriptor: Descriptor; work: string } {
    const { root, machine, script } = this.#place;
    const work = join(this.#place.work, String(++this.#count));
    mkdirSync(work);
    const { log, signal } = quietContext(root);
    return {
      root, reference: "", against: machine, exercise: script, ports: [this.#application.port], masks: [], secrets: {},
      timeout: parseDuration("60s"), log, signal, descriptor: captured.plan.package, work,
    }; // biome-ignore format: a table
  }
}

/** Copies: the machine lies in mounts of another namespace, out of which nothing can be mounted. */
function secretsOf({ captured, machine }: CapturedBy, work: string): Record<string, string> {
  const mounted = captured.plan.package.secrets.filter((one) => one.delivery === "mount");
  return Object.fromEntries(
    mounted.map(({ path }, index) => {
      const copy = join(work, `secret-${index}`);
      execFileSync("cp", ["-aL", join(hostRoot(machine), path), copy]);
      return [path, copy];
    }),
  );
}

function differences(original: Side, packaged: Side): Map<string, string> {
  const shown = (bytes: Uint8Array | undefined): string =>
    bytes === undefined ? "nothing" : JSON.stringify(Buffer.from(bytes).toString("latin1").slice(0, 600));
  const found = new Map<string, string>();
  for (const [name, bytes] of original.results) {
    const other = packaged.results.get(name);
    if (other !== undefined && Buffer.compare(bytes, other) === 0) continue;
    found.set(name, `${shown(other)} instead of ${shown(bytes)}`);
  }
  return found;
}

/** Markdown: a line for each application, in each cell what passed and the sizes. */
export function attemptsTable(attempts: readonly Attempt[]): string {
  const shown = ways.filter((way) => attempts.some((one) => one.way === way));
  const lines = [`| application | ${shown.join(" | ")} |`, `|---|${shown.map(() => "---|").join("")}`];
  for (const name of new Set(attempts.map((one) => one.application))) {
    const cells = shown.map((way) => {
      const one = attempts.find((each) => each.application === name && each.way === way);
      if (one === undefined) return "";
      const start = one.problem === undefined ? "" : ", does not start";
      return `${one.passed} of ${one.total}${start}; ${megabytes(one.bytes)}, stored ${megabytes(one.stored)}`;
    });
    lines.push(`| ${name} | ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
