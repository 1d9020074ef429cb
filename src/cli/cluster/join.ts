// tranship cluster join: the agent of this machine, in the foreground until a signal.
import { hostname } from "node:os";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { type AgentOptions, runAgent } from "../../cluster/drivers/agents/agent.ts";
import { DockerContainers } from "../../cluster/drivers/docker/docker-containers.ts";
import { dockerPlace } from "../../cluster/drivers/docker/endpoint-place.ts";
import { Engine } from "../../cluster/drivers/docker/engine.ts";
import { refusalOfEngine } from "../../cluster/drivers/docker/refusals.ts";
import type { Driver, DriverNode } from "../../cluster/drivers/driver.ts";
import { TaskServer } from "../../cluster/drivers/endpoint/task-server.ts";
import { localDriver, thisMachine } from "../../cluster/drivers/local/local-driver.ts";
import { TaskDriver } from "../../cluster/drivers/task-driver.ts";
import { readInput } from "../../host/files.ts";
import type { Context } from "../context.ts";
import { registrySettings } from "../registry/settings.ts";
import { selfCommand } from "../self.ts";
import { type Call, list, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [url = ""] = call.args;
  if (!/^https?:\/\/[^/]+\/?$/.test(url))
    throw usage(`${url} is not the URL of a control plane`, "give http://HOST:PORT or https://HOST:PORT");
  const engine: AgentOptions["engine"] = text(call.options, "engine") === "docker" ? "docker" : "namespace";
  // Swarm fills the environment in, and no flags.
  const name = text(call.options, "name") ?? process.env.TRANSHIP_NODE_NAME ?? hostname();
  await runAgent({
    url: url.replace(/\/$/, ""),
    token: tokenOf(call),
    engine,
    driver: engine === "docker" ? engineDriver(call, context, name) : ownDriver(call, context, name),
    attributes: attributesOf(call),
    log: context.log,
    signal: context.signal,
    onWelcome: () => context.say(`${name} has joined ${url}`),
  });
}

function ownDriver(call: Call, context: Context, node: string): Driver {
  const { root, log } = context;
  const settings = registrySettings(call.options, context);
  const registries = { hosts: list(call.options, "registry"), settings };
  return localDriver({ root, log, self: selfCommand(root, call.options), registries, node });
}

function engineDriver(call: Call, context: Context, name: string): Driver {
  const { log, root } = context;
  const network = text(call.options, "taskNetwork");
  const beside = new Engine(text(call.options, "engineHost") ?? "");
  const endpoint = new TaskServer(dockerPlace(beside), log);
  const containers = new DockerContainers({
    engine: beside,
    log,
    registries: list(call.options, "registry"),
    ...(network === undefined ? {} : { network }),
  });
  const node: DriverNode = thisMachine(name, "docker");
  const records = join(root.path, "cluster", "agent-tasks");
  const refuses = refusalOfEngine;
  return new TaskDriver({ name: "agents", endpoint, containers, records, node, refuses, log });
}

function attributesOf(call: Call): { name: string; value: string }[] {
  const host = process.env.TRANSHIP_NODE_HOSTNAME;
  const given = list(call.options, "attribute");
  return [...(host === undefined ? [] : [`hostname=${host}`]), ...given].map((word) => {
    const [, name, value] = /^([A-Za-z0-9_./-]{1,128})=([^=]{1,128})$/.exec(word) ?? [];
    if (name === undefined || value === undefined)
      throw usage(`--attribute ${word} is not NAME=VALUE`, "for example zone=b");
    return { name, value };
  });
}

/** Not by a flag: command lines can be read by everybody. */
function tokenOf(call: Call): string {
  const file = text(call.options, "tokenFile");
  const token =
    file === undefined
      ? process.env.TRANSHIP_JOIN_TOKEN
      : readInput(file, "the token", 4096)?.toString("utf8").trim();
  if (token !== undefined && token !== "") return token;
  throw usage(
    "no token is given",
    "print it with `tranship cluster token` where the control plane is, and give --token-file",
  );
}

function usage(message: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}
