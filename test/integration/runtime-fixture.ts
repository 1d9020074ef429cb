// A small package for the tests of the runtime: a static busybox, users, a data directory, and what a test adds.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
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
import { type Descriptor, newDescriptor } from "../../src/package/descriptor.ts";
import { compileInitPlan, encodeInitPlan } from "../../src/package/init-plan.ts";
import { printDescriptor } from "../../src/package/yaml.ts";

export interface PackageContent {
  /** Text by path. */
  files?: Readonly<Record<string, string>>;
  /** Makes what is no text. */
  prepare?: (tree: string) => void;
  config?: ContainerConfig;
  /** Without an entry for `/`, as captures are. */
  topless?: true;
  /** Compiled into the layer, and the package's own. Absent: a package without a plan. */
  descriptor?: Partial<Descriptor>;
}

const applets =
  "sh true false echo sleep ls cat id ip httpd nc env pwd kill touch mkdir rm mount hostname stat ps tty trap seq head wc dd mknod chmod wget grep netstat stty".split(
    " ",
  );

/** undefined where the host can run the tests; else why it cannot. */
export function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  if (!existsSync("/bin/busybox")) return "needs busybox-static";
  if (!existsSync("/usr/bin/crun") && !existsSync("/usr/sbin/runc")) return "needs crun or runc";
  return undefined;
}

const architecture = process.arch === "x64" ? "amd64" : process.arch;

function wholeDescriptor(parts: Partial<Descriptor>): Descriptor {
  const origin = { os: { id: "debian", version: "11" }, kernel: "", architecture };
  return { ...newDescriptor({ id: "box", name: "box", version: "1", publisher: "" }, origin), ...parts };
}

/** What a test that failed has left goes too. */
export async function removeInstances(fixture: Fixture): Promise<void> {
  const all = (await fixture.cli(["ps", "-aq"])).stdout.split("\n").filter(Boolean);
  if (all.length > 0) await fixture.cli(["rm", "-f", ...all]);
}

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
    content.prepare?.(tree);
    execFileSync("chmod", ["0755", tree]);
    execFileSync("chown", ["33:44", join(tree, "srv/data"), join(tree, "srv/data/seed.txt")]);
    execFileSync("chmod", ["0750", join(tree, "srv/data")]);
    execFileSync("cp", [nativePath("init"), join(tree, ".tranship/init")]);
    const descriptor = wholeDescriptor(content.descriptor ?? {});
    if (content.descriptor !== undefined)
      writeFileSync(join(tree, ".tranship/init.bin"), encodeInitPlan(compileInitPlan(descriptor)));
    const tar = join(work, "layer.tar");
    const members = content.topless ? readdirSync(tree) : ["."];
    execFileSync("tar", ["-C", tree, "--sort=name", "--mtime=@0", "--numeric-owner", "-cf", tar, ...members]);
    await storePackage(root, reference, tar, {
      config: content.config ?? {},
      descriptorYaml: printDescriptor(descriptor),
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function storePackage(
  root: StateRoot,
  reference: string,
  tar: string,
  { config, descriptorYaml }: { config: ContainerConfig; descriptorYaml: string },
): Promise<void> {
  const diffId = `sha256:${createHash("sha256").update(readFileSync(tar)).digest("hex")}`;
  await withSession(openStore(root), async (session) => {
    const descriptor = await session.putStream(mediaType.layer, createReadStream(tar));
    await buildImage(session, {
      reference,
      layers: [{ descriptor, diffId, origin: "app" }],
      config: { Entrypoint: ["/.tranship/init"], ...config },
      architecture,
      descriptorYaml,
    });
  });
}

export interface Fixture {
  readonly root: StateRoot;
  /** Runs Tranship in the fixture's own network and mount namespace. */
  cli(args: readonly string[], options?: CliOptions): Promise<CliResult>;
  /** Any other program there. */
  inside(command: readonly string[], options?: CliOptions): Promise<CliResult>;
  /** What a command is started with to be there too: `[...enter, "sleep", "1"]` becomes the command itself, by its pid. */
  readonly enter: readonly string[];
  /** What is left of instances anywhere: [] when all is clean. */
  leftovers(): Promise<string[]>;
  /** Fails with what is left when processes that end in the background have had their time. */
  clean(): Promise<void>;
  remove(): Promise<void>;
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

/** TRANSHIP_TEST_MAIN: the built form instead, dist/start.cjs of an installation. */
export const mainProgram = process.env.TRANSHIP_TEST_MAIN ?? join(installRoot, "src/cli/main.ts");

/** How a command is started. `prepared`: as bin/tranship starts `run`, below native/supervise. */
export function programWords(prepared: boolean): string[] {
  return [...(prepared ? [nativePath("supervise"), "--prepare"] : []), process.execPath, mainProgram];
}

/** A state root of its own, and namespaces in which bridges and rules touch nobody. `prepared`: see programWords(). */
export async function makeFixture(prepared = false): Promise<Fixture> {
  const path = mkdtempSync(join(tmpdir(), "tranship-runtime-"));
  const root = openStateRoot(path);
  const holder = spawn(
    "unshare",
    [
      "-n",
      "-m",
      "sh",
      "-c",
      "mount --make-rprivate / && ip link set lo up && echo ready && exec sleep 100000",
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once("data", () => resolve());
    holder.once("exit", () => reject(new Error("no private namespaces can be made here")));
  });
  const enter = ["nsenter", "-t", String(holder.pid), "-n", "-m"];
  const inside = (command: readonly string[], options: CliOptions = {}): Promise<CliResult> =>
    runProgram([...enter, ...command], { ...options, env: cliEnvironment(path, options.env) });
  const remove = async (): Promise<void> => {
    const ended = new Promise((resolve) => holder.once("exit", resolve));
    holder.kill("SIGKILL");
    await ended;
    // Monitors of what ran last may still write.
    rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  return {
    root,
    inside,
    enter,
    cli: (args, options) => inside([...programWords(prepared), ...args], options),
    leftovers: () => leftovers(root, inside),
    async clean() {
      for (let round = 0; round < 100 && (await leftovers(root, inside)).length > 0; round++)
        await pause(100);
      const left = await leftovers(root, inside);
      if (left.length === 0) return;
      // What a test that failed has left goes too, or this process would never end.
      const all = (await inside([...programWords(prepared), "ps", "-aq"])).stdout.split("\n");
      for (const id of all.filter(Boolean)) await inside([...programWords(prepared), "rm", "-f", id]);
      await remove();
      assert.deepEqual(left, []);
    },
    remove,
  };
}

function cliEnvironment(root: string, more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  return { ...env, TRANSHIP_ROOT: root, TRANSHIP_NETWORK_LINGER: "0", ...more };
}

function runProgram(
  command: readonly string[],
  options: { env: NodeJS.ProcessEnv; input?: string },
): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0] ?? "", command.slice(1), {
      env: options.env,
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
    child.stdin.on("error", () => {}); // it may end before it has read
    child.stdin.end(options.input ?? "");
    child.on("error", reject);
    // All has been read at "close"; a process left behind by a killed command may hold the pipes, and is not waited for.
    child.on("exit", (code, signal) => {
      const done = (): void => {
        clearTimeout(patience);
        resolve({ status: code ?? (signal === "SIGKILL" ? 137 : 128), stdout, stderr });
      };
      const patience = setTimeout(done, 1000);
      child.once("close", done);
    });
  });
}

async function leftovers(root: StateRoot, inside: Fixture["inside"]): Promise<string[]> {
  const found: string[] = [];
  const directories = [
    root.instances,
    root.work,
    root.journal,
    root.volumes,
    ...["names", "network/addresses", "network/ports", "network/defined"].map((name) =>
      join(root.path, name),
    ),
  ];
  for (const directory of directories) {
    if (!existsSync(directory)) continue;
    // Named volumes are kept on purpose.
    const names = readdirSync(directory).filter((name) => name !== "named");
    found.push(...names.map((name) => join(directory, name)));
  }
  found.push(...readdirSync(root.locks).map((name) => `lock ${name}`));
  const rules = await inside(["nft", "list", "ruleset"]);
  if (rules.stdout.trim() !== "") found.push(`nft: ${rules.stdout}`);
  const devices = await inside(["ls", "/proc/self/net/dev_snmp6"]);
  found.push(
    ...devices.stdout
      .split("\n")
      .filter((name) => /^t[rs][0-9a-f]{8}(-\d+)?$/.test(name))
      .map((name) => `device ${name}`),
  );
  const mounts = await inside(["cat", "/proc/self/mountinfo"]);
  found.push(
    ...mounts.stdout
      .split("\n")
      .filter((line) => line.includes(root.path))
      .map((line) => `mount ${line}`),
  );
  found.push(...processesNaming(root.path));
  return found;
}

/** Processes with the state root in their command line or mounts. */
function processesNaming(path: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync("/proc").filter(
    (name) => /^\d+$/.test(name) && name !== String(process.pid),
  )) {
    for (const file of ["cmdline", "mountinfo"]) {
      try {
        const text = readFileSync(`/proc/${pid}/${file}`, "latin1");
        if (text.includes(path))
          found.push(`process ${pid} ${file}: ${text.slice(0, 200).replaceAll("\0", " ")}`);
      } catch {} // gone
    }
  }
  return found;
}

/** Waits for what another process is about to make true. Fails where it has not become so in `seconds`, so that a hang says where it was. */
export async function until(what: () => boolean | Promise<boolean>, seconds = 240): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!(await what())) {
    assert.ok(performance.now() < end, `in ${seconds} s it did not become true: ${what}`);
    await pause(20);
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
