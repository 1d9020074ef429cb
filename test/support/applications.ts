// The old machines of test/apps, each with one application: captured in several ways, then held against the original, check by check.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseDuration } from "../../src/base/units.ts";
import { captureMachine } from "../../src/capture/capture-machine.ts";
import { captureRun } from "../../src/capture/capture-run.ts";
import type { Captured, Choices } from "../../src/capture/captured.ts";
import { packPlan } from "../../src/capture/carry-out.ts";
import { evidenceOf } from "../../src/capture/read-evidence.ts";
import type { Rule } from "../../src/closure/rule.ts";
import { isUse } from "../../src/closure/rule.ts";
import { kernelOpened } from "../../src/closure/rules/kernel-opened.ts";
import { runOriginal } from "../../src/deploy/original-side.ts";
import { runPackage } from "../../src/deploy/package-side.ts";
import type { ParityRequest, Side } from "../../src/deploy/parity.ts";
import { installRoot } from "../../src/host/native.ts";
import type { StateRoot } from "../../src/host/state-root.ts";
import { makeWorkDirectory } from "../../src/host/work.ts";
import { originAnnotation } from "../../src/image/build.ts";
import { openStore } from "../../src/image/store.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { openMachine } from "../../src/machine/open.ts";
import { quietContext } from "./lamp.ts";

export interface TriedApplication {
  /** A directory of test/apps. */
  name: string;
  service: string;
  port: number;
}

export const applications: readonly TriedApplication[] = [
  { name: "nginx", service: "nginx", port: 80 },
  { name: "apache-php", service: "apache2", port: 80 },
  { name: "mariadb", service: "mariadb", port: 3306 },
  { name: "postgresql", service: "postgresql@13-main", port: 5432 },
  { name: "redis", service: "redis-server", port: 6379 },
  { name: "tomcat", service: "tomcat9", port: 8080 },
  { name: "python-wsgi", service: "ledger", port: 8000 },
  { name: "perl-cgi", service: "lighttpd", port: 80 },
  { name: "exim", service: "exim4", port: 25 },
  { name: "bind9", service: "named", port: 53 },
  { name: "vsftpd", service: "vsftpd", port: 21 },
  { name: "ruby", service: "crane", port: 4567 },
];

/** The last takes of the machine what the evidence of "+ closure" names, and needs that package to be there. */
export const ways = ["traced only", "+ owning packages", "+ closure", "capture machine", "trimmed"] as const;
export type Way = (typeof ways)[number];

export interface Attempt {
  application: string;
  way: Way;
  passed: number;
  total: number;
  /** Names of the checks whose answers were others. */
  failed: string[];
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
    const { machine, root } = this.#place;
    const tools = { ...quietContext(root), tool: "test" };
    const captured = await this.#capture(way);
    const image = await packPlan(
      machine,
      this.#reference(way),
      // Less than the closure may lack what its programs need: how much of them works then is what is measured.
      { ...captured, allowUnmet: way === "traced only" || way === "+ owning packages" },
      tools,
    );
    const original = await this.#askOriginal(captured);
    const total = original.results.size;
    const made: Attempt = {
      application: this.#application.name,
      way,
      passed: 0,
      total,
      failed: [...original.results.keys()],
      problem: undefined,
      paths: captured.plan.groups.reduce((sum, group) => sum + group.files.length, 0),
      bytes: image.layers.reduce((sum, layer) => sum + layer.contentSize, 0),
      stored: image.layers.reduce((sum, layer) => sum + layer.compressedSize, 0),
      layers: new Map(),
    };
    openStore(root)
      .image(image.name)
      .layers.forEach((layer) => {
        made.layers.set(layer.descriptor.annotations?.[originAnnotation] ?? "", layer.diffId);
      });
    try {
      const packaged = await runPackage({ ...this.#request(captured), reference: image.name });
      made.failed = [...original.results].filter(([name, bytes]) => !equal(bytes, packaged.results.get(name))).map(([name]) => name); // biome-ignore format: one line
      made.passed = total - made.failed.length;
    } catch (error) {
      const cause = (error as Error).cause;
      made.problem = `${(error as Error).message} ${cause instanceof Error ? cause.message : ""}`.trim();
    }
    return made;
  }

  #reference(way: Way): string {
    return `${this.#application.name}-${ways.indexOf(way)}`;
  }

  async #askOriginal(captured: Captured): Promise<Side> {
    this.#original ??= await runOriginal({ ...this.#request(captured), machine: this.#place.machine });
    return this.#original;
  }

  #request(captured: Captured): ParityRequest & { descriptor: Captured["plan"]["package"]; work: string } {
    const { root, machine, script } = this.#place;
    const work = join(this.#place.work, String(++this.#count));
    mkdirSync(work);
    const { log, signal } = quietContext(root);
    return {
      root, reference: "", against: machine, exercise: script, ports: [this.#application.port], masks: [], secrets: {},
      timeout: parseDuration("60s"), log, signal, descriptor: captured.plan.package, work,
    }; // biome-ignore format: a table
  }

  async #capture(way: Way): Promise<Captured> {
    const { machine, root } = this.#place;
    const { name, service, port } = this.#application;
    const tools = { ...quietContext(root), tool: "test" };
    const application = { name, services: [service], command: [], environment: {}, ports: [] };
    const choices = {
      ...choicesOf(way),
      volumes: [],
      include: [],
      filters: [],
      keepSecrets: [],
      alsoInstalled: [],
    };
    const from = this.#reference("+ closure");
    const trim = way === "trimmed" ? { reference: from, evidence: evidenceOf(root, from) } : undefined;
    if (way === "capture machine" || way === "trimmed")
      return await captureMachine({ machine, application, choices, trim }, tools);
    return await captureRun(
      {
        machine,
        application,
        choices,
        session: {
          ports: [port], exercise: join(apps, name, "exercise"), linger: 1000, for: undefined, timeout: parseDuration("120s"),
        },
        witness: true,
        network: "own",
    tracer: "auto",
        data: "copy",
      },
      tools,
    ); // biome-ignore format: a table
  }
}

function choicesOf(way: Way): Pick<Choices, "closure" | "rules"> {
  if (way === "traced only") return { closure: false };
  if (way === "+ owning packages") return { closure: false, rules: [kernelOpened(), owningPackages()] };
  return { closure: true };
}

/** All files of the installed packages that own what was used, and nothing that these depend on. */
function owningPackages(): Rule {
  return {
    name: "owning packages",
    async reason(scene, entry, reason, emit) {
      if (entry.kind === "directory" || !isUse(reason)) return;
      for (const name of scene.installed.owner(entry.path)) {
        for (const path of scene.installed.filesOf(name))
          emit.add(path, { kind: "installed", from: entry.path, detail: name });
      }
    },
  };
}

function equal(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0;
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
