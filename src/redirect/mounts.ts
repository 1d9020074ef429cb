// What the namespace engine makes of rules: mounts of an instance, and entries of a layer of ours above those of the package. Pure.
//
// full and read-only are bind mounts of `to` as the instance sees it, so that its copy and its volumes are one with theirs. write-copy of a folder is an
// overlay of its own (package over host), of a file a copy in our layer. hide is a whiteout in our layer. merged is the host's file itself. The host is only seen below
// paths that the person who runs it has named. What a mount cannot do is refused with the reason, never done by halves.
import {
  type EntryKind,
  type Found,
  type LayerEntry,
  type Made,
  type MountPlan,
  type MountWorld,
  type Refusal,
  reserved,
} from "./mount-plan.ts";
import { type FileRule, isWithin, makeTable, type PlacedRule } from "./rules.ts";

/** `rules` in the order of their declaration, those of the command line first. */
export function planMounts(rules: readonly FileRule[], world: MountWorld): MountPlan {
  const table = makeTable(
    rules.map((rule) => ({ ...rule, from: world.inPackage(rule.from).location, asked: rule })),
  );
  const apart = new Set<FileRule>();
  for (;;) {
    const planner = new Planner(table, world, apart);
    for (const [index, rule] of table.entries()) planner.place(index, rule);
    const spoiled = planner.spoiled();
    if (spoiled.length === 0)
      return { made: planner.made, entries: planner.entries, refusals: planner.refusals };
    for (const rule of spoiled) apart.add(rule);
  }
}

/** `from` is where links of the package lead; `asked` is the rule as it was written. */
type Placed = PlacedRule & { readonly asked: FileRule };
type Refuse = (reason: string, hint: string, about?: Refusal["about"]) => Made;

class Planner implements MountPlan {
  readonly made: Array<{ rule: FileRule; made: Made }> = [];
  readonly entries: LayerEntry[] = [];
  readonly refusals: Refusal[] = [];
  readonly #table: readonly Placed[];
  readonly #world: MountWorld;
  /** Rules whose target other rules change where the instance sees it: they take it from the package. */
  readonly #apart: ReadonlySet<FileRule>;

  constructor(table: readonly Placed[], world: MountWorld, apart: ReadonlySet<FileRule>) {
    this.#table = table;
    this.#world = world;
    this.#apart = apart;
  }

  /** A rule is applied once: what others hide or replace is not hidden from those that lead there. */
  spoiled(): FileRule[] {
    const changes = this.entries.filter(
      ({ overlay, path, kind }) =>
        overlay === null && (kind === "whiteout" || kind === "copy" || this.#replaces(path, kind)),
    );
    return this.made.flatMap(({ rule, made }) => {
      if (made.as !== "bind" || made.apart || this.#mounted(made.source)) return [];
      const { source } = made;
      return changes.some(({ path }) => isWithin(source, path) || isWithin(path, source)) ? [rule] : [];
    });
  }

  #replaces(path: string, kind: LayerEntry["kind"]): boolean {
    const there = this.#world.inPackage(path).kind;
    return there !== undefined && there !== kind;
  }

  place(index: number, rule: Placed): void {
    const refuse: Refuse = (reason, hint, about = "place") => {
      this.refusals.push({ rule: rule.asked, about, reason, hint });
      return { as: "nothing", at: rule.from, reason };
    };
    this.made[index] = { rule: rule.asked, made: this.#decide(index, rule, refuse) };
    this.#enter(index, rule, refuse);
  }

  #decide(index: number, rule: Placed, refuse: Refuse): Made {
    const at = rule.from;
    if (at === "/" && rule.match === "exact")
      return refuse("the root of an instance is a folder", "redirect a file");
    // The exact rule of the same path comes next; what it puts there has nothing below it.
    const next = this.#table[index + 1];
    if (rule.match === "folder" && next?.from === at)
      return { as: "nothing", at, reason: "an exact rule is for the same path" };
    if (this.#world.inPackage(rule.asked.from).nowhere === true)
      return { as: "nothing", at, reason: "links of the package lead there in a circle" };
    if (reserved.some((path) => isWithin(at, path)))
      return refuse(`${at} belongs to the instance itself`, "redirect another path");
    if (rule.mode === "hide") {
      if (at === "/") return refuse("the root of an instance cannot be hidden", "hide folders below it");
      return { as: "absent", at, reason: "it is hidden" };
    }
    if (reserved.some((path) => isWithin(rule.to, path)))
      return refuse(`${rule.to} belongs to the instance itself`, "redirect to another path");
    switch (rule.mode) {
      case "full":
      case "read-only":
        return this.#bind(rule, refuse);
      case "write-copy":
        return rule.match === "folder" ? this.#overlay(rule, refuse) : this.#copy(rule, refuse);
      case "merged":
        return this.#merged(rule, refuse);
      default:
        return { as: "nothing", at, reason: "it is for another engine" };
    }
  }

  #bind(rule: Placed, refuse: Refuse): Made {
    const at = rule.from;
    const found = this.#world.inPackage(rule.to);
    const readOnly = rule.mode === "read-only";
    const mounted = this.#mounted(found.location);
    const wrongKind = !mounted && found.kind !== undefined && found.kind !== kindOf(rule);
    if (wrongKind) return this.#kindRefused(rule, found, refuse);
    if (!readOnly && found.location === at && this.#alone(rule))
      return { as: "nothing", at, reason: "it leads to itself" };
    if (at === "/")
      return refuse("the root of an instance is that of its package", "redirect folders below it");
    if (!mounted && found.kind === undefined)
      return { as: "absent", at, reason: `${rule.to} is not in the package` };
    const apart = this.#apart.has(rule.asked);
    if (apart && !readOnly)
      return rule.match === "folder"
        ? { as: "overlay", at, package: found.location, host: null }
        : { as: "copy", at, source: found.location, host: false };
    return { as: "bind", at, source: found.location, readOnly, apart };
  }

  #overlay(rule: Placed, refuse: Refuse): Made {
    const at = rule.from;
    const found = this.#world.inPackage(rule.to);
    if (this.#mounted(found.location))
      return refuse(`${rule.to} lies in a volume, which can be no lower layer`, "use the mode full");
    if (found.kind === "file") return this.#kindRefused(rule, found, refuse);
    const host = this.#host(rule.asked, "directory");
    const own = found.kind === "directory" ? found.location : null;
    if (host === null && own === at && this.#alone(rule))
      return { as: "nothing", at, reason: "it leads to itself" };
    if (at === "/")
      return refuse("the root of an instance is that of its package", "redirect folders below it");
    if (host === null && own === null)
      return { as: "absent", at, reason: `${rule.to} is not in the package` };
    return { as: "overlay", at, package: own, host };
  }

  #copy(rule: Placed, refuse: Refuse): Made {
    const at = rule.from;
    const found = this.#world.inPackage(rule.to);
    if (this.#mounted(found.location))
      return refuse(`${rule.to} lies in a volume, of which no copy is made`, "use the mode full");
    if (found.kind === "directory") return this.#kindRefused(rule, found, refuse);
    if (found.kind === "file" && found.location === at && this.#alone(rule))
      return { as: "nothing", at, reason: "it leads to itself" };
    if (found.kind === "file") return { as: "copy", at, source: found.location, host: false };
    const host = this.#host(rule.asked, "file");
    if (host !== null) return { as: "copy", at, source: host, host: true };
    return { as: "absent", at, reason: `${rule.to} is not in the package` };
  }

  #merged(rule: Placed, refuse: Refuse): Made {
    const at = rule.from;
    if (rule.match === "folder")
      return refuse(
        "a folder cannot be merged with the host's by mounts: its files would be written to either",
        "use --engine inprocess, match: exact for single files, or the mode write-copy",
        "merged",
      );
    const found = this.#world.inPackage(rule.to);
    if (found.kind === "directory") return this.#kindRefused(rule, found, refuse);
    // Read from the package and written to the host: no mount does both. What is read is right, and what is written is refused.
    if (found.kind === "file") {
      const apart = this.#apart.has(rule.asked);
      return { as: "bind", at, source: found.location, readOnly: true, apart };
    }
    if (!this.#world.allows(rule.asked.from))
      return refuse(
        `${rule.asked.from} is to be the host's file, and nothing of the host is seen without being asked for`,
        `allow it with --allow-host ${rule.asked.from}`,
      );
    const host = this.#host(rule.asked, "file");
    if (host === null)
      return refuse(`this host has no file ${rule.asked.from}`, "make it, or remove the rule");
    return { as: "host", at, source: host };
  }

  #kindRefused(rule: Placed, found: Found, refuse: Refuse): Made {
    const [is, wants] = [found.kind === "directory" ? "a folder" : "no folder", rule.match];
    return refuse(
      `${rule.to} is ${is}, and the rule is for ${wants === "folder" ? "one" : "a single file"}`,
      "change `match`",
      "kind",
    );
  }

  /** Entries that a rule needs in a layer: a place to mount at, a copy, a whiteout. */
  #enter(index: number, rule: Placed, refuse: Refuse): void {
    const made = this.made[index]?.made;
    if (made === undefined || made.as === "nothing") return;
    const place = this.#backing(rule);
    const instead = this.#unreachable(rule, place, refuse);
    if (instead !== undefined) this.made[index] = { rule: rule.asked, made: instead };
    else if (made.as === "absent" || made.as === "copy") this.#replace(index, rule, place, refuse);
    else if (place.kind !== kindOf(rule) && !this.#mounted(place.path)) {
      // What is missing in a volume the OCI runtime makes there.
      if (!place.fixed) this.#add(place, kindOf(rule));
      else {
        const reason = `${rule.from} lies in a read-only folder that has no ${kindOf(rule)} there to mount at`;
        const instead = refuse(
          reason,
          "add it to the package, or give the folder around it the mode write-copy",
        );
        this.made[index] = { rule: rule.asked, made: instead };
      }
    }
  }

  /** What takes the place of something, or its name away, is an entry of a layer. */
  #replace(index: number, rule: Placed, place: Backing, refuse: Refuse): void {
    const made = this.made[index]?.made;
    if (place.shownBy !== null) {
      const { what, hint } = place.shownBy;
      const instead = refuse(`${rule.from} lies in ${what}, which is shown as it is`, hint);
      this.made[index] = { rule: rule.asked, made: instead };
    } else if (made?.as === "copy") {
      this.#add(place, "copy", { path: made.source, host: made.host });
    } else if (place.kind !== undefined) {
      // Where nothing is there is nothing to hide.
      this.#add(place, "whiteout");
    }
  }

  /** Whether no path leads to where the rule is, or one by a link that mounts would follow. */
  #unreachable(rule: Placed, { source, top, hidden }: Backing, refuse: Refuse): Made | undefined {
    const at = rule.from;
    const files = this.made.flatMap(({ made }, i) =>
      this.#table[i]?.match === "exact" && made.as !== "nothing" && made.as !== "absent" ? [made.at] : [],
    );
    const file = files.find((path) => path !== at && isWithin(at, path));
    if (file !== undefined)
      return { as: "nothing", at, reason: `${file} is a file, and nothing is below it` };
    if (source === null) return undefined;
    for (let path = parentOf(source); path.length > top.length; path = parentOf(path)) {
      if (hidden !== null && isWithin(path, hidden)) continue;
      if (this.#world.inPackage(path).kind === "file")
        return { as: "nothing", at, reason: `${path} is a file, and nothing is below it` };
    }
    if (hidden === null && this.#world.inPackage(source).location !== source)
      return refuse(`${at} is by a link of the package elsewhere`, "write where the link leads to");
    return undefined;
  }

  #add({ overlay, path }: Backing, kind: LayerEntry["kind"], source?: LayerEntry["source"]): void {
    this.entries.push({ overlay, path, kind, ...(source === undefined ? {} : { source }) });
  }

  /** What shows a path of the instance below the rules around it. */
  #backing(rule: Placed): Backing {
    const path = rule.from;
    let hidden: string | null = null;
    for (let outer = rule.outer; outer !== null; outer = this.#table[outer]?.outer ?? null) {
      const made = this.made[outer]?.made;
      if (made?.as === "absent") hidden = made.at;
      if (made?.as === "overlay") {
        const below = path.slice(made.at.length);
        const source = made.package === null ? null : made.package + below;
        const inside = hidden === null ? null : (made.package ?? "") + hidden.slice(made.at.length);
        const own = source === null ? undefined : this.#world.inPackage(source).kind;
        const host = made.host === null ? undefined : this.#world.onHost(made.host + below);
        const kind = hidden === null ? (own ?? host) : undefined;
        const top = made.package ?? "";
        return {
          overlay: outer,
          path: below,
          kind,
          source,
          top,
          hidden: inside,
          shownBy: null,
          fixed: false,
        };
      }
      if (made?.as === "bind") {
        const source = made.source + path.slice(made.at.length);
        const shownBy = { what: `the folder ${made.at}`, hint: `give ${made.at} the mode write-copy` };
        const kind = this.#world.inPackage(source).kind;
        const base = { source, top: made.source, hidden: null, shownBy, fixed: made.apart };
        return { overlay: null, path: source, kind, ...base };
      }
    }
    const volume = { what: "a volume", hint: "redirect a path outside of it" };
    const kind = hidden === null ? this.#world.inPackage(path).kind : undefined;
    const shownBy = this.#mounted(path) ? volume : null;
    return { overlay: null, path, kind, source: path, top: "", hidden, shownBy, fixed: false };
  }

  /** No rule around it makes another path of its own. */
  #alone(rule: Placed): boolean {
    for (let outer = rule.outer; outer !== null; outer = this.#table[outer]?.outer ?? null)
      if (this.made[outer]?.made.as !== "nothing") return false;
    return true;
  }

  #mounted(path: string): boolean {
    return this.#world.mounts.some((mount) => isWithin(path, mount));
  }

  #host(asked: FileRule, kind: EntryKind): string | null {
    if (!this.#world.allows(asked.from)) return null;
    return this.#world.onHost(asked.from) === kind ? asked.from : null;
  }
}

interface Backing extends Pick<LayerEntry, "overlay" | "path"> {
  readonly kind: EntryKind | undefined;
  /** The path of the package that is shown there, below `top`; null: none is. */
  readonly source: string | null;
  readonly top: string;
  /** A path of the package that a rule between hides, with all below it. */
  readonly hidden: string | null;
  /** It is the package's own, to which nothing can be added. */
  readonly fixed: boolean;
  /** A mount stands between the layer and the path: nothing of it can be taken away there. */
  readonly shownBy: { readonly what: string; readonly hint: string } | null;
}

function kindOf(rule: Pick<FileRule, "match">): EntryKind {
  return rule.match === "folder" ? "directory" : "file";
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}
