// The rules as redirect/ has them (locate, decide) against the kernel's own walk through the mounts that the namespace engine makes of them: random trees with links, random rules, random paths.
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Descriptor, FileRedirection } from "../../src/package/descriptor.ts";
import { decide } from "../../src/redirect/decide.ts";
import { locate } from "../../src/redirect/locate.ts";
import type { Found, MountPlan, MountWorld } from "../../src/redirect/mount-plan.ts";
import { planMounts } from "../../src/redirect/mounts.ts";
import { fileRule, isWithin, makeTable, ruleFor } from "../../src/redirect/rules.ts";
import { soaking } from "../support/counts.ts";
import { type Fixture, makeFixture, makePackage, whyNot } from "./runtime-fixture.ts";

const rounds = soaking ? 100 : 4;
const pathsEach = 150;
/** The same ones in every `npm test`, others in each soak. */
const start = Number(process.env.TRANSHIP_SEED ?? (soaking ? Date.now() % 1_000_000 : 1));

/** "dir", or a file's text, or a link's target. */
type Node = { kind: "dir" } | { kind: "file" } | { kind: "link"; target: string };
type Tree = ReadonlyMap<string, Node>;

class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  below(count: number): number {
    this.#state = (Math.imul(this.#state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((this.#state / 0x80000000) * count);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

const names = ["a", "b", "c", "ab"] as const;

function randomPath(dice: Dice, top = "/t", deepest = 4): string {
  return top + Array.from({ length: dice.below(deepest + 1) }, () => `/${dice.of(names)}`).join("");
}

function randomTree(dice: Dice): Tree {
  const tree = new Map<string, Node>([["/t", { kind: "dir" }]]);
  for (let i = 0; i < 60; i++) {
    const path = randomPath(dice);
    if (tree.has(path) || tree.get(dirname(path))?.kind !== "dir") continue;
    const kind = dice.of(["dir", "dir", "dir", "file", "file", "link"] as const);
    const up = dice.of(["", "../", "../../", "./"]);
    const target = dice.below(2) === 0 ? randomPath(dice) : `${up}${randomPath(dice, "", 2).slice(1)}` || ".";
    tree.set(path, kind === "link" ? { kind, target } : { kind });
  }
  return tree;
}

function randomRules(dice: Dice, tree: Tree): FileRedirection[] {
  const known = [...tree.keys()];
  return Array.from({ length: 1 + dice.below(7) }, () => {
    const from = dice.below(2) === 0 ? randomPath(dice) : dice.of(known);
    const mode = dice.of(["full", "full", "write-copy", "read-only", "hide"] as const);
    return { from, to: dice.of(known), match: dice.of(["folder", "folder", "exact"] as const), mode };
  });
}

function worldOf(tree: Tree): MountWorld {
  const inPackage = (path: string): Found => {
    const readLink = (at: string): string | undefined => {
      const node = tree.get(at);
      return node?.kind === "link" ? node.target : undefined;
    };
    const found = locate(path, { cwd: "/", follow: true, readLink });
    if (!("location" in found)) return { location: path, kind: undefined, nowhere: true };
    const node = tree.get(found.location);
    if (found.location === "/") return { location: "/", kind: "directory" };
    return {
      location: found.location,
      kind: node === undefined ? undefined : node.kind === "dir" ? "directory" : "file",
    };
  };
  return { inPackage, onHost: () => undefined, allows: () => false, mounts: [] };
}

/** Those of the rules that mounts can carry out together. */
function carriedOut(
  rules: FileRedirection[],
  world: MountWorld,
): { rules: FileRedirection[]; plan: MountPlan } {
  for (let left = rules; ; ) {
    const plan = planMounts(
      left.map((rule, i) => fileRule(rule, i)),
      world,
    );
    const refused = new Set(plan.refusals.map(({ rule }) => rule.declared));
    if (refused.size === 0) return { rules: left, plan };
    left = left.filter((_, i) => !refused.has(i));
  }
}

/** Places to mount at in a folder that is bound elsewhere are seen wherever that folder is. */
function pointsOf(tree: Tree, plan: MountPlan): Tree {
  const points = new Map<string, Node>();
  for (const { overlay, path, kind } of plan.entries) {
    if (overlay !== null || (kind !== "directory" && kind !== "file")) continue;
    points.set(path, { kind: kind === "file" ? "file" : "dir" });
    for (let above = dirname(path); above !== "/"; above = dirname(above))
      if (!tree.has(above)) points.set(above, { kind: "dir" });
  }
  return points;
}

/** What a program is shown at each path: "dir", the path of the package's file, or "-". */
function modelOf(
  tree: Tree,
  world: MountWorld,
  rules: FileRedirection[],
  plan: MountPlan,
): (path: string) => string {
  const reached = rules.filter((rule) => world.inPackage(rule.from).nowhere !== true);
  const table = makeTable(
    reached.map((given, i) => {
      const rule = fileRule(given, i);
      const to = rule.mode === "hide" ? "" : world.inPackage(rule.to).location;
      return { ...rule, from: world.inPackage(rule.from).location, to };
    }),
  );
  const points = pointsOf(tree, plan);
  const mounted = plan.made.flatMap(({ made }) =>
    ["bind", "overlay", "copy"].includes(made.as) ? [made.at] : [],
  );
  const view = (location: string): (Node & { path: string }) | undefined => {
    if (location === "/") return { kind: "dir", path: "/" };
    const { reads } = decide(table, location);
    const path = reads.find(({ where }) => where === "package" || where === "unredirected")?.path;
    const rule = ruleFor(table, location);
    const made = plan.made.find((one) => one.made.at === rule?.from && one.rule.match === rule.match)?.made;
    const alone = made !== undefined && (made.as !== "bind" || made.apart);
    if (path === "/") return { kind: "dir", path };
    const node = path === undefined ? undefined : (tree.get(path) ?? (alone ? undefined : points.get(path)));
    if (node !== undefined && path !== undefined) return { ...node, path: tree.has(path) ? path : "" };
    // The way to a rule is there.
    return mounted.some((at) => at !== location && isWithin(at, location))
      ? { kind: "dir", path: location }
      : undefined;
  };
  return (asked) => {
    const readLink = (location: string): string | undefined => {
      const node = view(location);
      return node?.kind === "link" ? node.target : undefined;
    };
    const found = locate(asked, {
      cwd: "/",
      follow: true,
      readLink,
      isFolder: (location) => view(location)?.kind === "dir",
    });
    if (!("location" in found)) return "-";
    const node = view(found.location);
    if (node === undefined || (found.directory && node.kind !== "dir")) return "-";
    return node.kind === "dir" ? "dir" : node.path;
  };
}

const reader =
  'for p; do if [ -d "$p" ]; then echo dir; elif [ -f "$p" ]; then echo "$(cat "$p")"; else echo -; fi; done';

describe("redirections as a model and as mounts", { skip: whyNot() ?? false, timeout: 3_000_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
  });
  after(() => fixture.remove());

  for (let round = 0; round < rounds; round++)
    it(`seed ${start + round}`, async () => {
      // A seed is made odd.
      const dice = new Dice((start + round) * 2);
      const tree = randomTree(dice);
      const world = worldOf(tree);
      const { rules, plan } = carriedOut(randomRules(dice, tree), world);
      const paths = Array.from({ length: pathsEach }, () => {
        const path =
          dice.below(3) === 0
            ? dice.of([...tree.keys(), ...rules.map((rule) => rule.from)])
            : randomPath(dice);
        return path + dice.of(["", "", "", "/..", "/../a", "/../b/c", "/", "/."]);
      });
      await makePackage(fixture.root, "model:1", {
        prepare: (root) => makeTree(root, tree),
        descriptor: described(rules),
      });
      const got = await fixture.cli([
        "run",
        "--rm",
        "--network",
        "none",
        "model:1",
        "sh",
        "-c",
        reader,
        "sh",
        ...paths,
      ]);
      assert.equal(
        got.status,
        0,
        got.stderr + JSON.stringify({ rules, made: plan.made.map(({ made }) => made), tree: [...tree] }),
      );
      const model = modelOf(tree, world, rules, plan);
      const answers = got.stdout.split("\n");
      const wrong = paths.flatMap((path, i) => {
        const expected = model(path);
        return answers[i] === expected ? [] : [`${path}: ${answers[i]}, not ${expected}`];
      });
      assert.deepEqual(
        wrong,
        [],
        JSON.stringify(
          { rules, tree: [...tree], made: plan.made.map(({ made }) => made), entries: plan.entries },
          null,
          1,
        ),
      );
      assert.equal((await fixture.cli(["rmi", "model:1"])).status, 0);
    });

  function described(rules: FileRedirection[]): Partial<Descriptor> {
    return { redirections: { files: rules, network: [], registry: [] } };
  }

  function makeTree(root: string, tree: Tree): void {
    for (const [path, node] of [...tree].sort(([a], [b]) => a.length - b.length)) {
      const place = join(root, path);
      if (node.kind === "dir") mkdirSync(place);
      else if (node.kind === "file") writeFileSync(place, `${path}\n`);
      else symlinkSync(node.target, place);
    }
  }
});
