// One instance of an old application on its day: asked, loaded and hurt beside its own clients, which run on the original's root in its network.
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { parseDuration } from "../../src/base/units.ts";
import { listeningPorts } from "../../src/capture/sandbox/sandbox-sockets.ts";
import { runOriginal } from "../../src/deploy/original-side.ts";
import { exercise } from "../../src/deploy/package-side.ts";
import type { Side } from "../../src/deploy/parity.ts";
import { cgroupProcesses } from "../../src/host/cgroup.ts";
import { installRoot } from "../../src/host/native.ts";
import { hostRoot, type Machine } from "../../src/machine/machine.ts";
import type { Descriptor } from "../../src/package/descriptor.ts";
import { parseDescriptor } from "../../src/package/yaml.ts";
import { findInstance, type Instance } from "../../src/runtime/find.ts";
import { instanceGroup } from "../../src/runtime/limits/groups.ts";
import { mainProcess, parentOf } from "../../src/runtime/processes.ts";
import { type Fixture, until } from "../integration/runtime-fixture.ts";
import type { DayWork } from "./day-work.ts";
import { quietContext } from "./lamp.ts";

const apps = join(installRoot, "test/apps");
/** Of the log that the instance keeps: small, so that a day's lines are more. */
const logSize = 4096;
const logFiles = 3;
export const lastHour = 7;

export interface DayPlace {
  fixture: Fixture;
  machine: Machine;
  /** A directory for files of the test. */
  work: string;
}

export class ApplicationDay {
  readonly #work: DayWork;
  readonly #place: DayPlace;
  #descriptor: Descriptor | undefined;
  #count = 0;

  constructor(work: DayWork, place: DayPlace) {
    this.#work = work;
    this.#place = place;
  }

  /** By the verb alone; what it has to say is all that is known of it. */
  async capture(): Promise<Descriptor> {
    const { name, service, port } = this.#work;
    const words = ["-m", this.#place.machine.address, "-t", name, "--service", service];
    const session = ["--until-port", String(port), "--exercise", join(apps, name, "exercise")];
    await this.cli("capture", "run", ...words, ...session, "--linger", "1s");
    this.#descriptor = parseDescriptor(await this.cli("package", "show", name), name);
    return this.#descriptor;
  }

  async cli(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.#place.fixture.cli(words);
    assert.equal(status, 0, `${this.#work.name}: ${words.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** Its volumes are named, so that another instance can have them. */
  async start(name: string, ...more: string[]): Promise<void> {
    const { volumes, secrets } = this.descriptor;
    const root = hostRoot(this.#place.machine);
    await this.cli(
      ...["run", "-d", "--name", name, "--memory", this.#work.memory, "--cpus", "2", "--pids-limit", "150"],
      ...["--restart", "always", "--log-opt", `max-size=${logSize}`, "--log-opt", `max-file=${logFiles}`],
      ...volumes.flatMap(({ path }, index) => ["-v", `${this.#work.name}-${index}:${path}`]),
      ...secrets.flatMap((one) =>
        one.delivery === "mount" ? ["--secret", `${one.path}=${join(root, one.path)}`] : [],
      ),
      ...more,
      this.#work.name,
    );
    await this.answers(name);
  }

  get descriptor(): Descriptor {
    assert.ok(this.#descriptor !== undefined, "not captured yet");
    return this.#descriptor;
  }

  #instance(name: string): Instance {
    return findInstance(this.#place.fixture.root, name);
  }

  pid(name: string): number {
    const { paths, record } = this.#instance(name);
    return mainProcess(paths, record.id)?.pid ?? 0;
  }

  /** Waits until its port stays open: a program that only tries its configuration may open it for a moment. */
  async answers(name: string): Promise<void> {
    let seen = 0;
    await until(async () => {
      const pid = this.pid(name);
      const open = pid !== 0 && existsSync(`/proc/${pid}`) && listeningPorts(pid).has(this.#work.port);
      seen = open ? seen + 1 : 0;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return seen >= 5;
    });
  }

  /** Waits until the marks of the first `hours` are there: some appear only when all has been read in again. */
  async has(name: string, hours: number): Promise<void> {
    const wanted = Array.from({ length: hours }, (_, index) => `hour ${index + 1}`);
    let found: unknown;
    const complete = async (): Promise<boolean> => {
      // A server that reads its data in again refuses to answer.
      const marks = await this.marks(name).catch((error: Error) => error);
      found = marks;
      return Array.isArray(marks) && marks.length >= hours;
    };
    await until(complete, 60).catch(() => {});
    assert.deepEqual(found, wanted, `${this.#work.name}: what the hours left`);
  }

  /** All but its init. */
  processes(name: string): number[] {
    const init = this.pid(name);
    return cgroupProcesses(instanceGroup(this.#instance(name).record.id)).filter((pid) => pid !== init);
  }

  /** A process that its init has started: the application's own. 0: none. */
  mainOf(name: string): number {
    const init = this.pid(name);
    return this.processes(name).find((pid) => parentOf(pid) === init) ?? 0;
  }

  /** Its behaviour script, and every answer by name. */
  async behaviour(name: string): Promise<Map<string, string>> {
    const { results } = await this.#beside(name, behaviourOf(this.#work));
    return this.#settled(results);
  }

  /** A script on the original's root, in the network of the instance; what it printed. Has to end with 0. */
  async does(name: string, script: string): Promise<string> {
    const { status, output } = await this.#beside(name, `set -e\n${script}`);
    assert.equal(status, 0, `${this.#work.name}: ${script}\n${output}`);
    return output;
  }

  async load(name: string): Promise<void> {
    await this.does(name, this.#work.load);
  }

  async mark(name: string, hour: number): Promise<void> {
    await this.does(name, this.#work.mark(hour));
  }

  async marks(name: string): Promise<string[]> {
    const text = this.#work.marks === "" ? this.#loggedMarks(name) : await this.does(name, this.#work.marks);
    return [...new Set([...text.matchAll(/hour (\d+)/g)].map(([line]) => line))].sort();
  }

  #loggedMarks(name: string): string {
    const log = `/proc/${this.pid(name)}/root${this.#work.log ?? ""}`;
    const directory = join(log, "..");
    const texts = readdirSync(directory)
      .map((one) => join(directory, one))
      .filter((path) => path.startsWith(log))
      .map((path) => (path.endsWith(".gz") ? gunzipSync(readFileSync(path)) : readFileSync(path)).toString());
    return [...texts.join("").matchAll(/GET \/hour-(\d+)-/g)].map(([, hour]) => `hour ${hour}`).join("\n");
  }

  /** The size of its log as it is inside; undefined where there is none. */
  logSize(name: string, suffix = ""): number | undefined {
    const path = `/proc/${this.pid(name)}/root${this.#work.log ?? ""}${suffix}`;
    return statSync(path, { throwIfNoEntry: false })?.size;
  }

  /** A file of its own; "" where it is not there. */
  inside(name: string, path: string): string {
    const file = `/proc/${this.pid(name)}/root${path}`;
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  /** What the instance kept of its output: files that are no larger than was said, and not more of them. */
  keptLogs(name: string): number[] {
    const directory = join(this.#instance(name).paths.run, "log");
    const sizes = readdirSync(directory)
      .filter((file) => file.startsWith("all.log"))
      .map((file) => statSync(join(directory, file)).size);
    assert.ok(sizes.length <= logFiles, `${sizes.length} files of the log`);
    // A line is never cut.
    for (const size of sizes) assert.ok(size <= logSize + 2048, `a log of ${size} bytes`);
    return sizes;
  }

  /** What the original answers in the morning, and in the evening after the same hours. */
  async original(): Promise<{ morning: Map<string, string>; evening: Map<string, string> }> {
    const hours = Array.from({ length: lastHour }, (_, index) => this.#work.mark(index + 1));
    const keep = (round: string): string =>
      `mkdir $TRANSHIP_RESULTS/${round}; find $TRANSHIP_RESULTS -maxdepth 1 -type f -exec mv {} $TRANSHIP_RESULTS/${round} \\;`;
    const text = behaviourOf(this.#work);
    const script = [text, keep("morning"), ...hours, text, keep("evening")].join("\n");
    const side = await runOriginal({ ...this.#request(script), machine: this.#place.machine });
    const of = (round: string): Map<string, string> =>
      this.#settled(
        new Map(
          [...side.results].flatMap(([name, bytes]) =>
            name.startsWith(`${round}/`) ? [[name.slice(round.length + 1), bytes] as const] : [],
          ),
        ),
      );
    return { morning: of("morning"), evening: of("evening") };
  }

  #settled(results: ReadonlyMap<string, Uint8Array>): Map<string, string> {
    const { counted, unordered } = this.#work;
    return new Map(
      [...results].map(([name, bytes]) => {
        const told = Buffer.from(bytes).toString("latin1");
        const text = name === unordered ? told.split("\n").sort().join("\n") : told;
        return [name, counted === undefined ? text : text.replace(counted, "N")];
      }),
    );
  }

  async #beside(name: string, script: string): Promise<Side> {
    const side: Side = {
      name, status: undefined, output: "", results: new Map(), probes: new Map(), written: new Map(), startTime: 0,
    }; // biome-ignore format: a table
    await exercise(this.#request(script), this.#instance(name), this.pid(name), side);
    return side;
  }

  #request(script: string) {
    const { fixture, machine, work } = this.#place;
    const own = join(work, String(++this.#count));
    mkdirSync(own);
    const path = join(own, "script");
    writeFileSync(path, script.startsWith("#!") ? script : `#!/bin/bash\nexport LC_ALL=C.UTF-8\n${script}\n`);
    chmodSync(path, 0o755);
    const { log, signal } = quietContext(fixture.root);
    return {
      root: fixture.root, reference: this.#work.name, against: machine, exercise: path, ports: [this.#work.port], masks: [],
      secrets: {}, timeout: parseDuration("120s"), log, signal, descriptor: this.descriptor, work: own,
    }; // biome-ignore format: a table
  }
}

function behaviourOf({ name }: DayWork): string {
  return ["checks.sh", `${name}/behaviour`].map((file) => readFileSync(join(apps, file), "utf8")).join("\n");
}
