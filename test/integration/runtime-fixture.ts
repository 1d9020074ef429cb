// A small package for the tests of the runtime: a static busybox, users, a data directory, and what a test adds.
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ContainerConfig, mediaType } from "../../src/formats/oci.ts";
import { installRoot, nativePath } from "../../src/host/native.ts";
import { openStateRoot, type StateRoot } from "../../src/host/state-root.ts";
import { buildImage } from "../../src/image/build.ts";
import { openStore } from "../../src/image/store.ts";
import { withSession } from "../../src/image/store-session.ts";
import { encodeInitPlan } from "../../src/package/init-codec.ts";
import type { InitPlan } from "../../src/package/init-plan.ts";

export interface PackageContent {
  /** Text by path. */
  files?: Readonly<Record<string, string>>;
  config?: ContainerConfig;
  plan?: Partial<InitPlan>;
}

const applets =
  "sh true false echo sleep ls cat id ip httpd nc env pwd kill touch mkdir rm mount hostname stat ps tty trap seq head wc dd mknod chmod wget grep".split(
    " ",
  );

/** undefined where the host can run the tests; else why it cannot. */
export function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  if (!existsSync("/bin/busybox")) return "needs busybox-static";
  if (!existsSync("/usr/bin/crun") && !existsSync("/usr/sbin/runc")) return "needs crun or runc";
  return undefined;
}

export const emptyPlan: InitPlan = {
  log: { maxSize: 10 << 20, maxFiles: 3 },
  environment: [],
  directories: [],
  volumes: [],
  secrets: [],
  programs: [],
  services: [],
  schedules: [],
};

export async function makePackage(
  root: StateRoot,
  reference: string,
  content: PackageContent = {},
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "tranship-fixture-"));
  try {
    const tree = join(work, "rootfs");
    for (const name of ["bin", "etc", "tmp", "root", "proc", "sys", "dev", "run", ".tranship", "srv/data"])
      mkdirSync(join(tree, name), { recursive: true });
    execFileSync("cp", ["/bin/busybox", join(tree, "bin/busybox")]);
    for (const name of applets) symlinkSync("busybox", join(tree, "bin", name));
    const files = {
      "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44:web:/srv:/bin/sh\n",
      "etc/group": "root:x:0:\nweb:x:44:\nextra:x:55:web\n",
      "etc/hostname": "old-web\n",
      "etc/hosts": "127.0.0.1 localhost old-web\n192.0.2.7 database.old\n",
      "srv/data/seed.txt": "from the image\n",
      ...content.files,
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), text);
    }
    execFileSync("chmod", ["0755", tree]);
    execFileSync("chown", ["33:44", join(tree, "srv/data"), join(tree, "srv/data/seed.txt")]);
    execFileSync("chmod", ["0750", join(tree, "srv/data")]);
    execFileSync("cp", [nativePath("init"), join(tree, ".tranship/init")]);
    if (content.plan !== undefined) {
      writeFileSync(join(tree, ".tranship/init.bin"), encodeInitPlan({ ...emptyPlan, ...content.plan }));
    }
    const tar = join(work, "layer.tar");
    execFileSync("tar", ["-C", tree, "--sort=name", "--mtime=@0", "--numeric-owner", "-cf", tar, "."]);
    await storePackage(root, reference, tar, content.config ?? {});
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function storePackage(
  root: StateRoot,
  reference: string,
  tar: string,
  config: ContainerConfig,
): Promise<void> {
  const diffId = `sha256:${createHash("sha256").update(readFileSync(tar)).digest("hex")}`;
  await withSession(openStore(root), async (session) => {
    const descriptor = await session.putStream(mediaType.layer, createReadStream(tar));
    await buildImage(session, {
      reference,
      layers: [{ descriptor, diffId, origin: "app" }],
      config: { Entrypoint: ["/.tranship/init"], ...config },
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      descriptorYaml: "apiVersion: tranship/v1alpha1\nkind: Package\n",
    });
  });
}

export interface Fixture {
  root: StateRoot;
  cli(args: readonly string[], options?: CliOptions): Promise<CliResult>;
  remove(): void;
}

export interface CliOptions {
  env?: Readonly<Record<string, string>>;
  input?: string;
}

export interface CliResult {
  status: number;
  stdout: string;
  stderr: string;
}

export const mainProgram = join(installRoot, "src/cli/main.ts");

export function makeFixture(): Fixture {
  const path = mkdtempSync(join(tmpdir(), "tranship-runtime-"));
  const root = openStateRoot(path);
  return {
    root,
    cli: (args, options = {}) => runCli(path, args, options),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

export function cliEnvironment(root: string, more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  return { ...env, TRANSHIP_ROOT: root, TRANSHIP_NETWORK_LINGER: "0", ...more };
}

export function runCli(root: string, args: readonly string[], options: CliOptions): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [mainProgram, ...args], {
      env: cliEnvironment(root, options.env),
      stdio: ["pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve({ status: code ?? (signal === "SIGKILL" ? 137 : 128), stdout, stderr }),
    );
  });
}
