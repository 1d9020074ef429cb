// A tree with redirected names, and what the kernel makes of the same with mounts: the judge of the engine's files.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { type FileRule, makeTable } from "../../src/redirect/rules.ts";
import { engine, place } from "./engine.ts";
import { aRule, enginePolicy } from "./engine-policy.ts";

/** Some calls go to the directory above the tree: it is made anew as well. */
const above = join(place, "t");
export const tree = join(above, "tree");
export const inPackage = join(place, "package");
const policy = join(place, "policy.bin");
export const copies = join(place, "copies");
export const under = [
  engine,
  `--policy=${policy}`,
  `--package=${inPackage}`,
  `--copies=${copies}`,
  `--allow-host=${tree}`,
];

export function makeTree(): void {
  for (const folder of [above, inPackage, copies]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(copies);
  for (const folder of ["srv/app/dir", "srv/ro/dir"]) mkdirSync(join(inPackage, folder), { recursive: true });
  mkdirSync(join(tree, "dir/inner"), { recursive: true });
  const files = { plain: "plain", "dir/x": "x" };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(tree, name), `${text}\n`);
  const packaged = {
    "app/file": "app-file",
    "app/dir/deep": "deep",
    "ro/file": "ro-file",
    "ro/dir/deep": "ro-deep",
    one: "one-file",
  };
  for (const [name, text] of Object.entries(packaged))
    writeFileSync(join(inPackage, "srv", name), `${text}\n`);
  const links = { into: "app", "into-file": "app/file", "dir/to-app": "../app/dir" };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(tree, name));
  const packagedLinks = {
    ...{
      "app/link": "file",
      "app/up": "..",
      "app/abs": join(tree, "app/dir"),
      "app/gone": "nowhere",
      "app/loop": "loop",
    },
    ...{ "app/to-ro": "../ro/file", "ro/link": "file", "ro/up": ".." },
  };
  for (const [name, target] of Object.entries(packagedLinks))
    symlinkSync(target, join(inPackage, "srv", name));
}

export function setRules(rules: readonly Pick<FileRule, "from" | "to" | "mode" | "match">[]): void {
  writeFileSync(
    policy,
    encodePolicy(enginePolicy({ files: makeTable(rules.map((rule, index) => aRule(rule, index))) })),
  );
}

export const usual = [
  { from: join(tree, "app"), to: "/srv/app", mode: "full", match: "folder" },
  { from: join(tree, "ro"), to: "/srv/ro", mode: "read-only", match: "folder" },
  { from: join(tree, "one"), to: "/srv/one", mode: "full", match: "exact" },
  { from: join(tree, "secret"), to: "", mode: "hide", match: "folder" },
] as const;

/** The same with layers. */
export const layered = [
  { from: join(tree, "app"), to: "/srv/app", mode: "write-copy", match: "folder" },
  { from: join(tree, "ro"), to: "/srv/ro", mode: "read-only", match: "folder" },
  { from: join(tree, "one"), to: "/srv/one", mode: "full", match: "exact" },
] as const;

/** What the host has where a rule leads elsewhere. */
const host = `mkdir app ro; mkdir app/dir; echo host > one; echo host > app/file; echo host > app/new; echo host > app/dir/new`;

export const mounts = `mkdir app ro && touch one && mount --bind "$1/srv/app" app && mount --bind "$1/srv/ro" ro &&
  mount -o remount,bind,ro ro && mount --bind "$1/srv/one" one && exec "$2" "$3" "$4" $6`;

/** Package over host, below what is written. */
export const overlay = `mkdir -p app ro && touch one && mount -t tmpfs none "$5" && mkdir "$5/u" "$5/w" && mount -t overlay none -o \
  "redirect_dir=on,lowerdir=$1/srv/app:$PWD/app,upperdir=$5/u,workdir=$5/w" app && mount --bind "$1/srv/ro" ro &&
  mount -o remount,bind,ro ro && mount --bind "$1/srv/one" one && exec "$2" "$3" "$4"`;

export function makeOnHost(): void {
  execFileSync("sh", ["-c", host], { cwd: tree });
}
