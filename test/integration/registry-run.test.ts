// Packages go through registries and run on the other side: podman pulls and runs ours from Debian's registry and from our own, and pushes to ours; `run` takes what
// buildah made. All in the fixture's namespaces.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { scratch } from "../support/images.ts";
import { type Judges, makeJudges, whyNoJudges } from "../support/judges.ts";
import { type Fixture, makeFixture, makePackage, programWords, whyNot } from "./runtime-fixture.ts";

const needs = ["/usr/bin/docker-registry", "/usr/bin/buildah"].find((path) => !existsSync(path));
const skip = whyNot() ?? whyNoJudges ?? (needs === undefined ? false : `needs ${needs}`);

describe("registries and those who run", { skip, timeout: 600_000 }, () => {
  let fixture: Fixture;
  let judges: Judges;
  const ends: (() => Promise<unknown>)[] = [];
  const theirs = "127.0.0.1:5000";
  const ours = "127.0.0.1:5001";
  before(async () => {
    fixture = await makeFixture();
    judges = await makeJudges(fixture, join(fixture.root.path, "judges"));
    await makePackage(fixture.root, "box:1", {
      config: { Entrypoint: [], Cmd: ["echo", "it runs"], Env: ["PATH=/bin"] },
    });
    const config = join(fixture.root.path, "judges/registry.yml");
    writeFileSync(
      config,
      `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${fixture.root.path}/judges/data}}\nhttp: {addr: "${theirs}", secret: x}\n`,
    );
    await start(["docker-registry", "serve", config]);
    await start([...programWords(false), "registry", "serve", "--listen", ours]);
    for (const host of [theirs, ours])
      while ((await fixture.inside(["wget", "-q", "-O", "-", `http://${host}/v2/`])).status !== 0)
        await new Promise((resolve) => setTimeout(resolve, 50));
  });
  after(async () => {
    for (const end of ends) await end();
    judges.close();
    await fixture.remove();
  });

  async function start(command: readonly string[]): Promise<void> {
    const [program = "", ...args] = [...fixture.enter, ...command];
    const child = spawn(program, args, {
      env: { ...process.env, TRANSHIP_ROOT: fixture.root.path },
      stdio: "ignore",
    });
    ends.push(async () => {
      if (child.exitCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    });
  }

  for (const [name, host, push] of [
    ["Debian's registry", theirs, true],
    ["our registry", ours, false],
  ] as const) {
    it(`podman pulls and runs a package from ${name}`, async () => {
      if (push) {
        const pushed = await fixture.cli(["push", "--plain-http", "box:1", `${host}/box:1`]);
        assert.equal(pushed.status, 0, pushed.stderr);
      }
      await judges.run("podman", "pull", "-q", "--tls-verify=false", `${host}/box:1`);
      const said = await judges.run(
        "podman",
        "run",
        "--rm",
        "--network",
        "none",
        `${host}/box:1`,
        "echo",
        "it runs",
      );
      assert.equal(said, "it runs\n");
      await judges.run("podman", "rmi", "-f", `${host}/box:1`);
    });
  }

  it("an image of buildah and podman is pulled and run: entrypoint, command, environment, user, directory", async (t) => {
    const top = scratch(t);
    for (const name of ["bin", "etc", "srv"]) mkdirSync(join(top, "root", name), { recursive: true });
    copyFileSync("/bin/busybox", join(top, "root/bin/busybox"));
    for (const name of ["sh", "id", "pwd", "echo"]) symlinkSync("busybox", join(top, "root/bin", name));
    writeFileSync(join(top, "root/etc/passwd"), "web:x:33:44::/srv:/bin/sh\n");
    writeFileSync(join(top, "root/etc/group"), "web:x:44:\n");
    const container = (await judges.run("buildah", "from", "scratch")).trim();
    await judges.run("buildah", "add", "-q", container, join(top, "root"), "/");
    const words = [
      "--entrypoint",
      '["/bin/sh", "-c"]',
      "--cmd",
      "'id -un; pwd; echo $GREETING'",
      "--env",
      "GREETING=hello",
      "--env",
      "PATH=/bin",
    ];
    await judges.run("buildah", "config", ...words, "--user", "web", "--workingdir", "/srv", container);
    await judges.run("buildah", "commit", "-q", "--format", "docker", container, "foreign:1");
    await judges.run("buildah", "rm", container);
    for (const host of [theirs, ours]) {
      await judges.run("podman", "push", "-q", "--tls-verify=false", "foreign:1", `${host}/foreign:1`);
      const pulled = await fixture.cli(["pull", "--plain-http", `${host}/foreign:1`]);
      assert.equal(pulled.status, 0, pulled.stderr);
      const quiet = await fixture.cli(["pull", "-q", "--plain-http", `${host}/foreign:1`]);
      assert.equal(quiet.stdout, `${host}/foreign:1\n`);
      assert.equal(quiet.stderr, "");
      const run = await fixture.cli(["run", "--rm", "--network", "none", `${host}/foreign:1`]);
      assert.equal(run.stdout, "web\n/srv\nhello\n", run.stderr);
    }
    await judges.run("podman", "rmi", "-f", "foreign:1");
    rmSync(top, { recursive: true, force: true });
  });
});
