// tranship cluster agent-image: this installation as an image, for engines that bring it to their nodes.
import { copyFileSync, cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { checkBuilt, installedParts } from "../../cluster/far/bundle.ts";
import { installRoot } from "../../host/native.ts";
import { runChecked } from "../../host/process.ts";
import { makeWorkDirectory } from "../../host/work.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { importRoot } from "../store/import-root.ts";
import type { Call } from "../verb.ts";

/** Where it lies in the image. */
const inside = "usr/lib/tranship";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [reference = ""] = call.args;
  checkBuilt();
  const store = openStore(context.root);
  const work = makeWorkDirectory(context.root, "agent-image");
  try {
    const tree = join(work.path, "root");
    await fill(tree);
    const { name, digest } = await importRoot(store, tree, reference, context);
    context.print(`${name} ${digest}`);
  } finally {
    work.remove();
  }
}

/** The installation, the Node that runs it with its libraries, and what a program expects of any system. */
async function fill(tree: string): Promise<void> {
  const home = join(tree, inside);
  for (const part of installedParts)
    if (existsSync(join(installRoot, part)))
      cpSync(join(installRoot, part), join(home, part), { recursive: true });
  for (const directory of ["tmp", "etc", "var/lib/tranship", "run/secrets"])
    mkdirSync(join(tree, directory), { recursive: true });
  writeFileSync(join(tree, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(join(tree, "etc/group"), "root:x:0:\n");
  put(process.execPath, join(tree, "usr/bin/node"));
  for (const library of await librariesOf(process.execPath)) put(library, join(tree, library));
  // bin/tranship is a shell script.
  put("/bin/sh", join(tree, "bin/sh"));
  for (const library of await librariesOf("/bin/sh")) put(library, join(tree, library));
  if (existsSync("/etc/ssl/certs/ca-certificates.crt"))
    put("/etc/ssl/certs/ca-certificates.crt", join(tree, "etc/ssl/certs/ca-certificates.crt"));
  symlinkSync("node", join(tree, "usr/bin/nodejs"));
}

function put(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

/** As the loader finds them here: the paths are the same in the image. */
async function librariesOf(program: string): Promise<string[]> {
  const listed = await runChecked("ldd", [program]);
  return listed.split("\n").flatMap((line) => {
    const [, path = ""] = /(?:=>\s*)?(\/\S+) \(0x/.exec(line) ?? [];
    return path === "" || basename(path) === "linux-vdso.so.1" ? [] : [path];
  });
}
