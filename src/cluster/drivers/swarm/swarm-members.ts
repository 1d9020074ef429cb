// What Swarm does for a cluster: it knows which nodes there are and which are down, brings the agent to each of them, and gives tasks a network over all of them.
//
// Theory. Swarm's managers see a dead node by its missing heartbeats, often before our own connection to its agent notices; and they start the
// agent on a node that is new. What tasks run where is ours: an agent that comes back tells what it holds (agents-driver.ts).
import { createHash } from "node:crypto";
import type { Log } from "../../../base/log.ts";
import type { AgentsDriver, Standing } from "../agents/agents-driver.ts";
import { type Engine, EngineError } from "../docker/engine.ts";
import { agentService, agentServiceName, specificationLabel } from "./agent-service.ts";

export interface SwarmOptions {
  /** Of a manager. */
  engine: Engine;
  driver: AgentsDriver;
  log: Log;
  image: string;
  /** The control plane, as the nodes reach it. */
  url: string;
  token: string;
  /** Certificates of authorities (PEM) that the agents are to trust for the URL. */
  authorities?: Buffer;
  registries: readonly string[];
  /** Flags of the agents for what they keep of tasks that have ended. */
  keeping: readonly string[];
}

/** The overlay network that tasks with a network of their own are put into. */
export const taskNetwork = "tranship-tasks";

/** Milliseconds between looks at the members. */
const interval = 1_000;

interface Member {
  ID: string;
  Status: { State: string };
  Spec: { Availability: string; Labels?: Record<string, string> };
}

/** Prepares network, secret and service, then watches the members until it is closed. E_ENGINE_UNREACHABLE, and EngineError where the engine is no manager. */
export async function watchSwarm(options: SwarmOptions): Promise<{ close(): void }> {
  await ensureNetwork(options.engine);
  await ensureService(options);
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let silent = false;
  let drained = new Set<string>();
  const look = async (): Promise<void> => {
    try {
      const members = (await options.engine.get<Member[]>("/nodes")) ?? [];
      const standings = new Map(members.map((member) => [member.ID, standingOf(member)]));
      for (const [id, standing] of standings)
        if (standing === "agentless" && !drained.has(id))
          options.log.warn(
            `the node ${id} is drained in Swarm, which takes the agent away: what must not be there twice stays on it, ` +
              "until the node is active again or down; set the container instance to DRAINING before",
          );
      drained = new Set([...standings].filter(([, standing]) => standing === "agentless").map(([id]) => id));
      options.driver.sees(standings);
      silent = false;
    } catch (error) {
      if (!silent) options.log.warn(`cannot ask Swarm for its nodes: ${(error as Error).message}`);
      silent = true;
    }
    if (!closed) timer = setTimeout(() => void look(), interval);
  };
  await look();
  return {
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** A drained node lives, and what our agent has started there runs on without it. */
function standingOf({ Status, Spec }: Member): Standing {
  if (Status.State !== "ready") return "down";
  return Spec.Availability === "drain" ? "agentless" : "ready";
}

async function ensureNetwork(engine: Engine): Promise<void> {
  const filters = JSON.stringify({ name: [taskNetwork] });
  const found = (await engine.get<{ Name: string }[]>("/networks", { query: { filters } })) ?? [];
  if (found.some(({ Name }) => Name === taskNetwork)) return;
  await engine.post("/networks/create", {
    body: { Name: taskNetwork, Driver: "overlay", Attachable: true, CheckDuplicate: true },
  });
}

/** A secret cannot be changed: another token is another secret. */
async function ensureSecret(
  engine: Engine,
  kind: string,
  data: string | Buffer,
): Promise<{ id: string; name: string }> {
  const name = `tranship-${kind}-${createHash("sha256").update(data).digest("hex").slice(0, 12)}`;
  const filters = JSON.stringify({ name: [name] });
  const [known] = (await engine.get<{ ID: string }[]>("/secrets", { query: { filters } })) ?? [];
  if (known !== undefined) return { id: known.ID, name };
  const body = { Name: name, Data: Buffer.from(data as string).toString("base64") };
  const { ID } = await engine.post<{ ID: string }>("/secrets/create", { body });
  return { id: ID, name };
}

async function ensureService({ engine, image, url, token, log, ...rest }: SwarmOptions): Promise<void> {
  const secret = await ensureSecret(engine, "join", token);
  const { authorities: pem } = rest;
  const authorities = pem === undefined ? undefined : await ensureSecret(engine, "authorities", pem);
  const wanted = agentService({
    ...(authorities === undefined ? {} : { authorities }),
    image,
    url,
    secret,
    registries: rest.registries,
    keeping: rest.keeping,
    network: taskNetwork,
  });
  const known = await engine.get<{
    ID: string;
    Version: { Index: number };
    Spec: { Labels?: Record<string, string> };
  }>(`/services/${agentServiceName}`);
  try {
    if (known === undefined) {
      log.info(`starting the agent on every node of the swarm, as the service ${agentServiceName}`);
      await engine.post("/services/create", { body: wanted });
    } else if (known.Spec.Labels?.[specificationLabel] !== labelOf(wanted)) {
      log.info(`bringing the service ${agentServiceName} up to date`);
      await engine.post(`/services/${known.ID}/update`, {
        query: { version: String(known.Version.Index) },
        body: wanted,
      });
    }
  } catch (error) {
    // Two control planes of one state root cannot be; another one's service is not ours to take.
    if (error instanceof EngineError && error.status === 409) return;
    throw error;
  }
}

function labelOf({ Labels }: Record<string, unknown>): string | undefined {
  return (Labels as Record<string, string>)[specificationLabel];
}
