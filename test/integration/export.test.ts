// Packages given to other platforms, taken by these: docker-compose with a Docker of its own, podman as a reader of Kubernetes objects, systemd's own
// check and our `run` for units, and the vendor's SDK with a control plane for ECS.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  CreateClusterCommand,
  CreateServiceCommand,
  RegisterTaskDefinitionCommand,
} from "@aws-sdk/client-ecs";
import { parse, stringify } from "yaml";
import { installRoot } from "../../src/host/native.ts";
import { containerConfig } from "../../src/package/container-config.ts";
import { type Descriptor, newDescriptor } from "../../src/package/descriptor.ts";
import { serveCluster } from "../support/cluster-serve.ts";
import { makeNodes, whyNoNodes } from "../support/docker-nodes.ts";
import { podmanSettings, removeParentGroups } from "../support/podman.ts";
import { type CliResult, type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;
const bare = newDescriptor(
  { id: "box", name: "box", version: "1", publisher: "" },
  { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" },
);
// podman 4 shows all of a secret where a part of it was asked for by subPath.
const script =
  'test "$TOKEN" = "t 1" && { cat /etc/box/key.pem || cat /etc/box/key.pem/key.pem; } 2>/dev/null >/srv/data/key && hostname >/srv/data/name && exec httpd -f -p 80 -h /srv/data';
const descriptor: Descriptor = {
  ...bare,
  programs: [{ name: "web", command: ["/bin/sh", "-c", script] }],
  services: [
    { name: "web", program: "web", readiness: { port: 80, timeout: "20s" }, stop: { timeout: "3s" } },
  ],
  ports: [{ port: 80, protocol: "tcp" }],
  volumes: [{ path: "/srv/data", initial: "copy", size: "10" }],
  secrets: [
    { delivery: "mount", path: "/etc/box/key.pem", required: true },
    { delivery: "env", name: "TOKEN", required: true },
  ],
  identity: { ...bare.identity, hostname: "old-web" },
  limits: { ...bare.limits, memory: "64MiB", pids: 50 },
};
const pages = { "seed.txt": "from the image\n", key: "the key\n", name: "old-web\n" };

describe("a package on other platforms", { skip, timeout: 600_000 }, () => {
  let fixture: Fixture;
  let scratch: string;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1", { descriptor, config: containerConfig(descriptor) });
    scratch = mkdtempSync(join(tmpdir(), "tranship-export-"));
    mkdirSync(join(scratch, "secrets"));
    writeFileSync(join(scratch, "secrets/key.pem"), "the key\n");
  });
  after(async () => {
    await fixture.clean();
    await fixture.remove();
    rmSync(scratch, { recursive: true, force: true });
  });
  async function exported(...words: string[]): Promise<CliResult> {
    const result = await fixture.cli(["export", ...words]);
    assert.equal(result.status, 0, result.stderr);
    return result;
  }

  it("files that somebody has changed are not written over", async () => {
    const to = join(scratch, "kept");
    assert.equal((await exported("compose", "-o", to, "box:1")).stdout, `${to}/compose.yaml\n`);
    await exported("compose", "-o", to, "box:1");
    writeFileSync(join(to, "compose.yaml"), "mine\n");
    const refused = await fixture.cli(["export", "compose", "-o", to, "box:1"]);
    assert.match(refused.stderr, /compose\.yaml is there with other content/);
    assert.equal(readFileSync(join(to, "compose.yaml"), "utf8"), "mine\n");
    await exported("compose", "-o", to, "--force", "box:1");
    assert.match(readFileSync(join(to, "compose.yaml"), "utf8"), /image: box:1/);
    assert.match((await exported("compose", "--image", "here/box:1", "box:1")).stdout, /image: here\/box:1/);
    for (const wrong of [
      ["-p", "80"],
      ["-p", "1:81"],
      ["--name", "Box"],
    ])
      assert.equal((await fixture.cli(["export", "compose", ...wrong, "box:1"])).status, 2);
  });

  it("a descriptor that the image does not hold is told, and bake mends it", async () => {
    await fixture.cli(["package", "edit", "--set", "environment.MORE=more", "-t", "box:2", "box:1"]);
    assert.match((await exported("kubernetes", "box:2")).stderr, /another descriptor inside.*package bake/);
    await fixture.cli(["package", "bake", "-t", "box:3", "box:2"]);
    assert.doesNotMatch((await exported("kubernetes", "box:3")).stderr, /another descriptor/);
  });

  it("docker-compose brings it up with its data, secrets and name, and it becomes well", {
    skip: whyNoNodes() ?? missing("docker-compose"),
  }, async (t) => {
    const cluster = await makeNodes(1);
    const ends: (() => unknown)[] = [() => cluster.close()];
    t.after(async () => {
      for (const end of ends) await end();
    });
    const [node] = cluster.nodes;
    const image = `${cluster.registry}/box:1`;
    const pushed = spawnSync(
      cluster.enter[0] ?? "",
      [
        ...cluster.enter.slice(1),
        process.execPath,
        join(installRoot, "src/cli/main.ts"),
        "push",
        "--plain-http",
        "box:1",
        image,
      ],
      { encoding: "utf8", env: { ...process.env, TRANSHIP_ROOT: fixture.root.path } },
    );
    assert.equal(pushed.status, 0, pushed.stderr);
    await exported("compose", "-o", scratch, "--image", image, "-p", "8080:80", "box:1");
    const host = `unix://${cluster.directory}/n1/docker.sock`;
    const compose = (...words: string[]): string =>
      execFileSync(
        "docker-compose",
        ["-H", host, "-p", "box", "-f", join(scratch, "compose.yaml"), ...words],
        { encoding: "utf8", env: { ...process.env, TOKEN: "t 1" }, stdio: ["ignore", "pipe", "pipe"] },
      );
    assert.throws(
      () =>
        execFileSync("docker-compose", ["-H", host, "-f", join(scratch, "compose.yaml"), "config"], {
          stdio: ["ignore", "pipe", "pipe"],
        }),
      /box needs it/,
    );
    compose("up", "-d");
    ends.unshift(() => compose("down", "-v"));
    const page = (path: string): string =>
      execFileSync(
        node?.enter[0] ?? "",
        [...(node?.enter.slice(1) ?? []), "busybox", "wget", "-qO-", `http://127.0.0.1:8080/${path}`],
        { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
      );
    await answers(page);
    await until(() => /\(healthy\)/.test(compose("ps")));
    const begun = Date.now();
    compose("stop");
    assert.ok(Date.now() - begun < 15_000, "its signal is heard");
  });

  it("podman plays its Kubernetes objects: an empty claim is filled, secrets are there", {
    skip: missing("podman", "unshare"),
  }, async (t) => {
    removeParentGroups(t);
    await exported("kubernetes", "-o", scratch, "--image", "localhost/box:1", "box:1");
    assert.equal(
      (
        await fixture.cli([
          "package",
          "export",
          "-o",
          join(scratch, "box.tar"),
          "--type",
          "docker-archive",
          "box:1",
        ])
      ).status,
      0,
    );
    writeFileSync(
      join(scratch, "containers.conf"),
      `${podmanSettings}[network]\nnetwork_backend = "netavark"\n`,
    );
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    const data = { "key.pem": base64("the key\n") };
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "box" }, data };
    // Variables it looks up in secrets of another form, so that one secret cannot be both.
    const text = readFileSync(join(scratch, "box.yaml"), "utf8").replace(
      /(secretKeyRef:\s+name: )box/,
      "$1box-env",
    );
    const [claim = "", ...others] = text.split("---\n");
    // Init containers it may ask to go while it takes them for running: what they would do is done before.
    const [deployment, service] = others.map((one) => parse(one));
    const { template } = deployment.spec;
    const [{ command, volumeMounts }] = template.spec.initContainers;
    delete template.spec.initContainers;
    writeFileSync(join(scratch, "claim.yaml"), `${JSON.stringify(secret)}\n---\n${claim}`);
    writeFileSync(join(scratch, "play.yaml"), `${stringify(deployment)}---\n${stringify(service)}`);
    const seed = `--entrypoint ${command[0]} -v box-srv-data:${volumeMounts[0].mountPath} localhost/box:1 ${command.slice(1).join(" ")}`;
    writeFileSync(join(scratch, "env.json"), JSON.stringify({ TOKEN: base64("t 1") }));
    const state = mkdtempSync("/tmp/trp-"); // podman wants short paths
    t.after(() => rmSync(state, { recursive: true, force: true }));
    const inside = `podman() { command podman --root ${state}/root --runroot ${state}/run --network-config-dir ${state}/net --storage-driver vfs "$@"; }
      mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up
      podman load -q -i ${scratch}/box.tar >/dev/null || exit 1
      podman secret create box-env ${scratch}/env.json >/dev/null || exit 1
      podman kube play ${scratch}/claim.yaml >/dev/null || exit 1
      podman run --rm --network none ${seed} || exit 1
      podman kube play ${scratch}/play.yaml || exit 1
      id=$(podman ps -q --filter name=-box$)
      for n in $(seq 100); do podman exec $id /.tranship/init --ready && break; sleep 0.2; done
      for page in seed.txt key name; do echo "$page: $(podman exec $id wget -qO- http://127.0.0.1:80/$page)"; done
      podman pod rm -f -t 5 -a >/dev/null`;
    const played = spawnSync(
      "unshare",
      ["--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", inside],
      {
        encoding: "utf8",
        env: { ...process.env, CONTAINERS_CONF: join(scratch, "containers.conf") },
        timeout: 200_000,
      },
    );
    // Nor does podman 4 decode what it mounts.
    const seen = played.stdout.replace(`key: ${base64("the key\n")}`, "key: the key");
    assert.match(seen, /seed\.txt: from the image\nkey: the key\nname: old-web\n/, played.stderr);
  });

  it("systemd takes its unit, and the unit's command starts it", {
    skip: missing("systemd-analyze"),
  }, async (t) => {
    const program = join(scratch, "tran ship");
    writeFileSync(
      program,
      `#!/bin/sh\nexec ${process.execPath} ${join(installRoot, "src/cli/main.ts")} "$@"\n`,
      { mode: 0o755 },
    );
    await exported(
      "systemd",
      "-o",
      scratch,
      "--program",
      program,
      "--secrets",
      join(scratch, "secrets"),
      "-p",
      "8080:80",
      "box:1",
    );
    const unit = join(scratch, "box.service");
    const judged = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" });
    assert.equal(`${judged.stdout}${judged.stderr}`, "");
    assert.equal(judged.status, 0);
    const start = /^ExecStart=(.*)$/m.exec(readFileSync(unit, "utf8"))?.[1] ?? "";
    const running = fixture.inside(["sh", "-c", start], { env: { TOKEN: "t 1" } });
    t.after(async () => {
      await fixture.cli(["rm", "-f", "box"]);
      await running;
      await fixture.cli(["volume", "rm", "box.srv-data"]);
    });
    await answers((path) =>
      execFileSync(
        fixture.enter[0] ?? "",
        [...fixture.enter.slice(1), "busybox", "wget", "-qO-", `http://127.0.0.1:8080/${path}`],
        { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
      ),
    );
    assert.equal((await fixture.cli(["stop", "box"])).status, 0);
    assert.ok([0, 143].includes((await running).status));
  });

  it("ECS's task definition and service are taken as they are", async (t) => {
    await exported("ecs", "-o", scratch, "--execution-role", "arn:aws:iam::123456789012:role/start", "box:1");
    const served = await serveCluster(fixture, "--driver", "null");
    t.after(() => served.end("SIGTERM"));
    const read = (file: string) => JSON.parse(readFileSync(join(scratch, file), "utf8"));
    const { taskDefinition } = await served.client.send(
      new RegisterTaskDefinitionCommand(read("task-definition.json")),
    );
    assert.equal(taskDefinition?.family, "box");
    await served.client.send(new CreateClusterCommand({}));
    const { service } = await served.client.send(new CreateServiceCommand(read("service.json")));
    assert.equal(service?.deploymentConfiguration?.maximumPercent, 100);
    const far = await fixture.cli([
      "export",
      "ecs",
      "--launch-type",
      "FARGATE",
      "--efs",
      "fs-1",
      "--execution-role",
      "arn:aws:iam::123456789012:role/start",
      "box:1",
    ]);
    await served.client.send(new RegisterTaskDefinitionCommand(JSON.parse(far.stdout)));
  });
});

async function answers(page: (path: string) => string): Promise<void> {
  const seen = (path: string): string => {
    try {
      return page(path);
    } catch {
      return ""; // not there yet
    }
  };
  await until(() => seen("name") !== "");
  for (const [path, text] of Object.entries(pages)) assert.equal(seen(path), text, path);
}

function missing(...programs: string[]): string | false {
  const absent = programs.filter(
    (name) => spawnSync("sh", ["-c", 'command -v "$1"', "sh", name]).status !== 0,
  );
  return absent.length === 0 ? false : `needs ${absent.join(", ")}`;
}
