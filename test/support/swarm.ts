// A swarm of Docker nodes, and the agent's image in their registry.

import { execFileSync } from "node:child_process";
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
