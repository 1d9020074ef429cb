// From what a program was seen to use to what it needs to run: rules applied to a fix point.
//
// Theory. The expansion is a set of canonical paths, each with the reasons for it. It grows in rounds: what the rules asked
// for in the last round is resolved (many requests at once), each new path and each new kind of reason is shown
// to every rule, and their answers, taken in order, are the next round. When nothing is left each rule may settle;
// when that adds nothing either, the set is closed. Answers are ordered by what was asked, never by what
// came first from the machine, so the same machine gives the same result.
import { mapLimit } from "../base/map-limit.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import type { MachineFiles } from "../machine/machine.ts";
import { Configurations } from "./configuration.ts";
import type { NamedData } from "./data-places.ts";
import { ElfReader } from "./elf-reader.ts";
import type { ExpandOptions, Expansion, LanguageUse, Seed } from "./expansion.ts";
import { sortedPaths } from "./expansion.ts";
import type { InstalledPackages } from "./installed.ts";
import { loadInstalled } from "./installed.ts";
import { Loader } from "./loader.ts";
import { excludedBecause } from "./policy.ts";
import type { ProgramStart } from "./program-start.ts";
import type { Missing, Reason } from "./reason.ts";
import type { Emit, Included, Rule, Scene } from "./rule.ts";
import { isUse } from "./rule.ts";
import { makeRules } from "./rules/index.ts";
import type { Ask, Candidate } from "./sink.ts";
import { Sink } from "./sink.ts";
import type { Answer } from "./sweeps.ts";
import { Sweeps, tooManyPaths } from "./sweeps.ts";
import type { Tree } from "./tree.ts";
import { dirname, machineTree } from "./tree.ts";

export type { Expansion, Seed } from "./expansion.ts";
export type { Candidate } from "./sink.ts";

const defaultPath = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const requestsAtOnce = 64;
const visitsAtOnce = 32;
const maxReasonsOfKind = 4;
const maxCandidates = 100_000;
const livesInMemory = /^\/(proc|sys|dev|run|boot|lib\/modules|usr\/lib\/modules)\//;

export async function expand(
  files: MachineFiles,
  seeds: Iterable<Seed>,
  options: ExpandOptions = {},
): Promise<Expansion> {
  const installed = options.installed ?? (await loadInstalled(files));
  return new Expander(files, installed, options).run(seeds);
}

interface Fresh {
  included: Included;
  reason: Reason;
  /** False where the path was there and has a new kind of reason. */
  joined: boolean;
}

/** An import or a web server goes through a link to a directory, and all that is below it counts; elsewhere a link is a link. */
function followsLinks(reason: Reason): Ask["whole"] {
  return reason.kind === "language" || reason.detail === "document root" ? "unless huge" : false;
}

class Expander implements Scene {
  readonly files: MachineFiles;
  readonly tree: Tree;
  readonly elves: ElfReader;
  readonly loader: Loader;
  readonly installed: InstalledPackages;
  readonly path: readonly ByteString[];
  readonly configurations: Configurations;
  readonly starts: readonly ProgramStart[];
  readonly data: readonly NamedData[];
  readonly included = new Map<ByteString, Included>();
  readonly #rules: readonly Rule[];
  readonly #languages: LanguageUse[] = [];
  readonly #packages = new Set<string>();
  readonly #maxPaths: number;
  readonly #heads = new Map<ByteString, Promise<Uint8Array>>();
  readonly #sweeps: Sweeps;
  readonly #huge = new Set<ByteString>();
  readonly #parents = new Set<ByteString>();
  readonly #missing = new Map<string, Missing>();
  readonly #candidates = new Map<ByteString, Candidate>();
  #pending: Ask[] = [];

  constructor(files: MachineFiles, installed: InstalledPackages, options: ExpandOptions) {
    this.files = files;
    this.installed = installed;
    this.tree = machineTree(files);
    this.elves = new ElfReader(this.tree);
    this.loader = new Loader(this.tree, this.elves);
    this.starts = options.starts ?? [];
    this.data = options.data ?? [];
    this.configurations = new Configurations(this.tree, this.starts);
    this.path = options.path ?? defaultPath;
    this.#maxPaths = options.maxPaths ?? 2_000_000;
    this.#sweeps = new Sweeps(files, this.tree, this.#maxPaths);
    this.#rules = options.rules ?? makeRules({ languages: this.#languages, packages: this.#packages });
  }

  async run(seeds: Iterable<Seed>): Promise<Expansion> {
    for (const seed of seeds) this.#pending.push({ ...seed, whole: false });
    for (const rule of this.#rules) await this.#collect((emit) => rule.start?.(this, emit));
    do {
      while (this.#pending.length > 0) await this.#round();
      for (const rule of this.#rules) await this.#collect((emit) => rule.settle?.(this, emit));
    } while (this.#pending.length > 0);
    return this.#result();
  }

  async #round(): Promise<void> {
    const asks = this.#pending;
    this.#pending = [];
    const answers = await mapLimit(asks, requestsAtOnce, async (ask): Promise<Answer> => {
      return { ask, resolved: await this.tree.resolve(ask.path), below: [], unreadable: [], huge: false };
    });
    await this.#sweeps.walkAll(answers);
    const fresh: Fresh[] = [];
    for (const answer of answers) this.#commit(answer, fresh);
    const said = await mapLimit(fresh, visitsAtOnce, async (one) => {
      const sink = new Sink();
      for (const rule of this.#rules) {
        if (one.joined) await rule.entry?.(this, one.included.entry, one.reason, sink);
        await rule.reason?.(this, one.included.entry, one.reason, sink);
      }
      return sink;
    });
    for (const sink of said) this.#take(sink);
  }

  async #collect(work: (emit: Emit) => Promise<void> | undefined): Promise<void> {
    const sink = new Sink();
    await work(sink);
    this.#take(sink);
  }

  #take(sink: Sink): void {
    for (const ask of sink.asks) this.#pending.push(ask);
    for (const one of sink.missings) this.#miss(one.path, one.reason);
    for (const one of sink.candidates) this.#hold(one);
  }

  #miss(path: ByteString, reason: Reason): void {
    const key = `${path}\0${reason.kind}\0${reason.from ?? ""}`;
    if (!this.#missing.has(key)) this.#missing.set(key, { path, reason });
  }

  #hold(candidate: Candidate): void {
    if (this.#candidates.size < maxCandidates && !this.#candidates.has(candidate.path)) {
      this.#candidates.set(candidate.path, candidate);
    }
  }

  #commit(answer: Answer, fresh: Fresh[]): void {
    const { ask, resolved } = answer;
    // A link that an installer made is its own work; what it leads to is not.
    const itself = ask.reason.kind === "installer" && resolved.links.some((link) => link.path === ask.path);
    for (const link of resolved.links) {
      const own = itself && link.path === ask.path;
      this.#join(link, own ? ask.reason : { kind: "link", from: ask.path }, fresh);
    }
    const reason: Reason = itself ? { ...ask.reason, from: ask.path, detail: "link" } : ask.reason;
    if (resolved.entry !== undefined) this.#join(resolved.entry, reason, fresh);
    else if (ask.reason.kind === "traced" || ask.reason.kind === "rule") {
      if (resolved.links.length === 0) this.#miss(ask.path, ask.reason);
    }
    if (answer.huge) this.#huge.add(resolved.at);
    if (answer.huge)
      this.#hold({
        path: resolved.at,
        reason: ask.reason,
        because: "a large directory, taken only when asked for",
      });
    for (const path of answer.unreadable) this.#miss(path, { ...ask.reason, detail: "cannot be read" });
    for (const entry of answer.below) {
      this.#join(entry, ask.reason, fresh);
      if (entry.kind === "symlink")
        this.#pending.push({ path: entry.path, reason: ask.reason, whole: followsLinks(ask.reason) });
    }
  }

  /** Adds a path that exists, with its parents (which are canonical, as the path is). */
  #join(entry: Entry, reason: Reason, fresh: Fresh[]): void {
    const because = excludedBecause(entry, reason);
    if (because !== undefined) {
      if (because !== "made by the kernel") this.#hold({ path: entry.path, reason, because });
      // A log that was written, or a socket that was made, will be again: with its directory, as its owner has it.
      if (isUse(reason) && !livesInMemory.test(entry.path)) this.#wantParent(entry.path);
      return;
    }
    const known = this.included.get(entry.path);
    if (known === undefined) {
      if (this.included.size >= this.#maxPaths) throw tooManyPaths(this.#maxPaths);
      const included: Included = { entry, reasons: [reason] };
      this.included.set(entry.path, included);
      fresh.push({ included, reason, joined: true });
      this.#wantParent(entry.path);
      return;
    }
    const use = isUse(reason);
    const same = known.reasons.filter((one) => one.kind === reason.kind && isUse(one) === use);
    if (same.length === 0) fresh.push({ included: known, reason, joined: false });
    const most = reason.kind === "parent" ? 1 : maxReasonsOfKind;
    if (same.length >= most || same.some((one) => one.from === reason.from && one.detail === reason.detail))
      return;
    known.reasons.push(reason);
  }

  #wantParent(path: ByteString): void {
    const parent = dirname(path);
    if (path === "/" || this.#parents.has(parent)) return;
    this.#parents.add(parent);
    this.#pending.push({ path: parent, reason: { kind: "parent", from: path }, whole: false });
  }

  head(entry: Entry): Promise<Uint8Array> {
    let head = this.#heads.get(entry.path);
    if (head === undefined) {
      head = this.files
        .readRange(entry.path, 0, 512)
        .then((bytes) => bytes ?? new Uint8Array())
        .catch(() => new Uint8Array());
      this.#heads.set(entry.path, head);
    }
    return head;
  }

  #result(): Expansion {
    const { paths, entries } = sortedPaths(this.included);
    const byPath = (a: Missing, b: Missing): number => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
    return {
      paths,
      entries,
      missing: [...this.#missing.values()].sort(byPath),
      languages: [...this.#languages].sort((a, b) => (a.name < b.name ? -1 : 1)),
      candidates: [...this.#candidates.values()]
        .filter((one) => !paths.has(one.path) || (this.#huge.has(one.path) && !this.#sweeps.has(one.path)))
        .sort(byPath),
      packages: [...this.#packages].sort(),
      problems: [...this.installed.problems],
    };
  }
}
