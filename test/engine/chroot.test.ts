// chroot() of programs in the engine, against the kernel's on bind mounts: result by result and errno by errno.
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { makeTable } from "../../src/redirect/rules.ts";
import { cannotRun, compile, type Ended, engine, place, run } from "../support/engine.ts";
import { aRule, enginePolicy } from "../support/engine-policy.ts";

const root = process.getuid?.() === 0;
const tree = join(place, "t/tree");
const inPackage = join(place, "package");
const policy = join(place, "policy.bin");
const options = [`--policy=${policy}`, `--package=${inPackage}`];
const mounts = `mount --bind "$1/srv/app" app && mount --bind "$1/srv/ro" ro && mount --bind "$1/srv/inner" app/ro &&
  mount -o remount,bind,ro ro && shift && exec "$@"`;

function write(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), `${text}\n`);
  }
}

/** What the kernel says, and what the engine does. */
async function both(command: readonly string[]): Promise<{ kernel: Ended; ours: Ended }> {
  const kernel = await run(["unshare", "-m", "sh", "-c", mounts, "sh", inPackage, ...command], { cwd: tree });
  assert.equal(kernel.status, 0, kernel.stderr);
  return { kernel, ours: await run([engine, ...options, "--search", ...command], { cwd: tree }) };
}

describe("chroot", { skip: cannotRun || (root ? false : "needs root") }, () => {
  before(() => {
    write(inPackage, { "srv/app/file": "app-file", "srv/app/dir/deep": "deep", "srv/app/dir/x": "x" });
    write(inPackage, { "srv/app/script": "#!/prog", "srv/ro/file": "ro-file", "srv/inner/file": "inner" });
    write(tree, { plain: "plain", "dir/x": "tree-x" });
    mkdirSync(join(inPackage, "srv/app/ro"));
    for (const folder of ["app", "ro", "closed"]) mkdirSync(join(tree, folder));
    chmodSync(join(tree, "closed"), 0o700);
    chmodSync(join(inPackage, "srv/app/script"), 0o755);
    const links = { link: "file", abs: "/dir/deep", "root-link": "/../../file", loop: "loop" };
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(inPackage, "srv/app", name));
    copyFileSync(compile("root", "static"), join(inPackage, "srv/app/prog"));
    for (const folder of [place, inPackage]) chmodSync(folder, 0o755);
    const rules = [
      { from: join(tree, "app"), to: "/srv/app", mode: "full", match: "folder" },
      { from: join(tree, "app/ro"), to: "/srv/inner", mode: "full", match: "folder" },
      { from: join(tree, "ro"), to: "/srv/ro", mode: "read-only", match: "folder" },
    ] as const;
    const files = makeTable(rules.map((rule, index) => aRule(rule, index)));
    writeFileSync(policy, encodePolicy(enginePolicy({ files })));
  });

  for (const linking of ["dynamic", "static"] as const) {
    test(`a root and all below it are as in the kernel (${linking})`, async () => {
      const { kernel, ours } = await both([compile("root", linking)]);
      assert.ok(kernel.stdout.split("\n").length > 130, kernel.stdout);
      assert.match(kernel.stdout, /^start \/script\nagain \/script\n/m);
      assert.match(kernel.stdout, /^vfork 0 0\n/m);
      assert.equal(ours.stdout, kernel.stdout, ours.stderr);
      assert.equal(ours.status, 0);
    });
  }

  test("who is not root gets EPERM, and before it what the kernel finds wrong first", async () => {
    const words = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--", "env"];
    const { kernel, ours } = await both([...words, compile("root", "static"), "user"]);
    assert.match(kernel.stdout, /^closed EACCES\ntree EPERM\napp EPERM\nroot EPERM\n/m);
    assert.equal(ours.stdout, kernel.stdout, ours.stderr);
  });
});
