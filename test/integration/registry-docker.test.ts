// The Docker engine of Debian 12 (20.10) and packages: it pulls them from Debian's registry and from ours, loads and saves archives, builds on them, runs
// them with their services, and what it pushes and saves comes back here. Its daemon lives in name spaces of the test's own.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { installRoot } from "../../src/host/native.ts";
import { openStateRoot, type StateRoot } from "../../src/host/state-root.ts";
import { soaking } from "../support/counts.ts";
import { makeNodes, type Nodes, whyNoNodes } from "../support/docker-nodes.ts";
import { makePackage, whyNot } from "./runtime-fixture.ts";

const docker = "/usr/bin/docker";
const skip = whyNot() ?? whyNoNodes() ?? (existsSync(docker) ? false : "needs docker.io");
const ours = "10.99.0.1:5001";

describe("Docker's engine and packages", { skip, timeout: 600_000 }, () => {
  let nodes: Nodes;
  let base: string;
  let root: StateRoot;
  let server: ChildProcess | undefined;

  before(async () => {
    nodes = await makeNodes(1);
    base = mkdtempSync(join(tmpdir(), "tranship-docker-"));
    root = openStateRoot(join(base, "state"));
    await makePackage(root, "box:1", {
      config: { Entrypoint: ["/.tranship/init"], Env: ["PATH=/bin"] },
      files: { "srv/page": "from the package\n" },
      descriptor: {
        programs: [
          {
            name: "once",
            command: ["/bin/cat", "/srv/page"],
            workingDirectory: "/",
            user: "root",
            environment: {},
          },
        ],
        services: [
          {
            name: "once", program: "once", startup: "auto", essential: true, after: [], type: "simple",
            restart: { policy: "no", attempts: 1, backoff: "1s" }, stop: { signal: "SIGTERM", timeout: "2s" },
          },
        ], // biome-ignore format: a table
      },
    });
  });
  after(async () => {
    if (server?.exitCode === null) {
      const ended = once(server, "exit");
      server.kill("SIGTERM");
      await ended;
    }
    await nodes?.close();
    if (base !== undefined) rmSync(base, { recursive: true, force: true });
  });

  /** On the switch, where the node's daemon and the registries are reached. */
  function call(program: string, args: readonly string[]) {
    const [enter = "", ...words] = [...nodes.enter, program, ...args];
    const env = { ...process.env, TRANSHIP_ROOT: root.path, HOME: base };
    return spawnSync(enter, words, { encoding: "utf8", env, maxBuffer: 64 << 20 });
  }
  function run(program: string, ...args: string[]): string {
    const { status, stdout, stderr } = call(program, args);
    assert.equal(status, 0, `${program} ${args.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  }
  const tranship = (...args: string[]): string => run(join(installRoot, "bin/tranship"), ...args);
  const engine = (...args: string[]): string => {
    const socket = `unix://${join(nodes.directory, nodes.nodes[0]?.name ?? "", "docker.sock")}`;
    return run(docker, "-H", socket, "--config", join(base, "docker"), ...args);
  };
  const ran = (image: string): string => engine("run", "--rm", "--network", "none", image);

  it("is the version that it is meant to be", () => {
    assert.match(engine("version", "--format", "{{.Server.Version}}"), /^20\.10\./);
  });

  it("pulls a package from Debian's registry and runs its service under our init", () => {
    tranship("push", "--plain-http", "box:1", `${nodes.registry}/box:1`);
    engine("pull", "-q", `${nodes.registry}/box:1`);
    assert.equal(ran(`${nodes.registry}/box:1`), "from the package\n");
  });

  it("pulls a package from our registry", async () => {
    const words = [...nodes.enter, join(installRoot, "bin/tranship"), "--root", root.path];
    const [program = "", ...args] = [...words, "registry", "serve", "--listen", ours, "--read-only"];
    server = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    await new Promise<void>((resolve, reject) => {
      let said = "";
      const hear = (bytes: Buffer): void => {
        said += bytes.toString();
        if (said.includes(ours)) resolve();
      };
      server?.stdout?.on("data", hear);
      server?.stderr?.on("data", hear);
      server?.once("exit", (code) => reject(new Error(`registry serve ended with ${code}: ${said}`)));
    });
    engine("pull", "-q", `${ours}/box:1`);
    assert.equal(ran(`${ours}/box:1`), "from the package\n");
  });

  if (!soaking) return;

  it("loads our docker-archive, and its own archive comes back whole", () => {
    const archive = join(base, "box.tar");
    tranship("package", "export", "--type", "docker-archive", "-o", archive, "box:1");
    assert.match(engine("load", "-i", archive), /Loaded image/);
    const saved = join(base, "saved.tar");
    engine("save", "-o", saved, "docker.io/library/box:1");
    tranship("package", "import", saved, "back:1");
    // The descriptor is not in such an archive; every file is.
    const { stderr } = call(join(installRoot, "bin/tranship"), ["image", "diff", "box:1", "back:1"]);
    assert.match(stderr, /0 added, 0 removed, 0 changed; 1 layers shared/);
  });

  it("builds on a package, and `pull` takes the result", () => {
    const context = join(base, "context");
    mkdirSync(context);
    writeFileSync(join(context, "Dockerfile"), `FROM ${nodes.registry}/box:1\nCOPY page /srv/page\n`);
    writeFileSync(join(context, "page"), "from the build\n");
    engine("build", "-q", "-t", `${nodes.registry}/built:1`, context);
    assert.equal(ran(`${nodes.registry}/built:1`), "from the build\n");
    engine("push", "-q", `${nodes.registry}/built:1`);
    tranship("pull", "--plain-http", `${nodes.registry}/built:1`);
    assert.match(tranship("images", "--format", "{{.repository}}"), /built/);
  });
});
