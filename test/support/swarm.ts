// A swarm of Docker nodes, and the agent's image in their registry.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Nodes } from "./docker-nodes.ts";
import { installTo } from "./installed.ts";

/** The first node manages it; a missing heartbeat is noticed within seconds. */
export async function makeSwarm({ nodes: [manager, ...workers] }: Nodes): Promise<void> {
  if (manager === undefined) throw new Error("a swarm needs a node");
  const listen = (address: string): object => ({
    ListenAddr: `${address}:2377`,
    AdvertiseAddr: `${address}:2377`,
  });
  await manager.engine.post("/swarm/init", {
    body: { ...listen(manager.address), Spec: { Dispatcher: { HeartbeatPeriod: 1e9 } } },
  });
  const swarm = await manager.engine.get<{ JoinTokens: { Worker: string } }>("/swarm");
  const join = { RemoteAddrs: [`${manager.address}:2377`], JoinToken: swarm?.JoinTokens.Worker };
  await Promise.all(
    workers.map((worker) =>
      worker.engine.post("/swarm/join", { body: { ...listen(worker.address), ...join } }),
    ),
  );
}

/** As a user makes it: an installation that has been built, `cluster agent-image`, `push`. Returns the image's name. */
export async function pushAgentImage({ directory, registry, enter }: Nodes): Promise<string> {
  const home = join(directory, "installed");
  await installTo(home);
  const image = `${registry}/tranship-agent:1`;
  const [program = "", ...words] = [...enter, process.execPath, join(home, "dist/start.cjs")];
  const run = (...verb: string[]): unknown =>
    execFileSync(program, [...words, "--root", join(directory, "image-state"), ...verb], {
      stdio: ["ignore", "pipe", "pipe"],
    });
  run("cluster", "agent-image", image);
  run("push", "--plain-http", image);
  return image;
}

/** busybox and a directory to serve, by way of the first machine. */
export async function pushBox({ nodes: [node], directory, registry }: Nodes, image: string): Promise<void> {
  const tree = mkdtempSync(join(directory, "image-"));
  mkdirSync(join(tree, "bin"));
  for (const name of ["www", "tmp", "etc"]) mkdirSync(join(tree, name));
  execFileSync("cp", ["/bin/busybox", join(tree, "bin/busybox")]);
  for (const name of "sh httpd hostname wget sleep cat echo true".split(" "))
    symlinkSync("busybox", join(tree, "bin", name));
  const raw = execFileSync("tar", ["-C", tree, "-c", "."], { maxBuffer: 1 << 28 });
  rmSync(tree, { recursive: true });
  const [repo = "", tag = ""] = [image.slice(0, image.lastIndexOf(":")), "1"];
  const headers = { "X-Registry-Auth": Buffer.from("{}").toString("base64url") };
  assert.ok(node !== undefined && image.startsWith(registry));
  const query = { fromSrc: "-", repo, tag };
  for await (const line of node.engine.lines("POST", "/images/create", { query, raw }))
    assert.equal(line.error, undefined);
  for await (const line of node.engine.lines("POST", `/images/${repo}/push`, { query: { tag }, headers }))
    assert.equal(line.error, undefined);
  await node.engine.delete(`/images/${image}`);
}
