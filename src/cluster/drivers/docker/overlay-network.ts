// Containers on an overlay network, which an engine has only while a container of its node is on it.
//
// Theory. When the last container has ended, the engine takes the network away from the node; a start at this moment may find it half gone. The engine then
// says that the network is not there, keeps what it had begun under the id of the container, so that each further start of it waits in vain, and never gives
// back the address that it had taken: a day of short tasks could use up the network. So a container of ours that does nothing stays on it, on every node where
// a task once needed it, and no start comes upon a network that goes. For the first of them itself, another container is made in the place of one that failed.
import { setTimeout as pause } from "node:timers/promises";
import { type Engine, EngineError } from "./engine.ts";
import type { Inspected } from "./inspected.ts";
import { pauseImage } from "./pause-image.ts";

/** Milliseconds before another one is made. */
const waits = [100, 300, 900, 2700];

/** Leaves a container that runs on the network, which is not one of the engine's own. EngineError as the engine says. */
export async function keepNetwork(engine: Engine, network: string): Promise<void> {
  const name = `${network}-keeper`;
  await startHolding(engine, name, async () => ({
    Image: await pauseImage(engine),
    User: "0",
    Labels: { "com.tranship.network-keeper": network },
    HostConfig: { NetworkMode: network, RestartPolicy: { Name: "no" } },
  }));
}

/**
 * Starts a container that holds a network, where it does not run; what is there of that name and does not run is replaced. EngineError as the engine says.
 * `joined`: what is to be done with its id before it is started.
 */
export async function startHolding(
  engine: Engine,
  name: string,
  body: () => Promise<object>,
  joined: (id: string) => Promise<void> = async () => {},
): Promise<void> {
  const known = await engine.get<Inspected>(`/containers/${name}/json`);
  if (known?.State.Running) return;
  const startAnew = async (): Promise<void> => {
    await engine.delete(`/containers/${name}`, { query: { force: "1" } });
    const { Id } = await engine.post<{ Id: string }>("/containers/create", {
      query: { name },
      body: await body(),
    });
    await joined(Id);
    await engine.post(`/containers/${Id}/start`);
  };
  for (const wait of waits) {
    try {
      return await startAnew();
    } catch (error) {
      if (!isBetween(error)) throw error;
      await pause(wait);
    }
  }
  await startAnew();
}

/** Of a network that comes and goes. */
function isBetween(error: unknown): boolean {
  return (
    error instanceof EngineError &&
    /^network \S+ not found|^attaching to network failed.*deadline exceeded/.test(error.message)
  );
}
