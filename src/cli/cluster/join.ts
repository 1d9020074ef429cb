// tranship cluster join: the agent of this machine, in the foreground until a signal; or of far ones, which are left to themselves.
import { hostname } from "node:os";
import { join } from "node:path";
import { type AgentOptions, runAgent } from "../../cluster/drivers/agents/agent.ts";
import { dockerPlace } from "../../cluster/drivers/docker/endpoint-place.ts";
import { refusalOfEngine } from "../../cluster/drivers/docker/refusals.ts";
import type { Driver, DriverNode } from "../../cluster/drivers/driver.ts";
import { TaskServer } from "../../cluster/drivers/endpoint/task-server.ts";
import { localDriver, thisMachine } from "../../cluster/drivers/local/local-driver.ts";
import { TaskDriver } from "../../cluster/drivers/task-driver.ts";
import { LogKeeper } from "../../cluster/logs/log-keeper.ts";
import type { Context } from "../context.ts";
import { selfCommand } from "../self.ts";
import { type Call, flag, list, text } from "../verb.ts";
import { joinNodes, usage } from "./far.ts";
import { givenToken } from "./given-token.ts";
import { dockerNode, nodeRegistries } from "./node-containers.ts";
import { cleanupWaitOf, retentionOf } from "./retention.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [url = ""] = call.args;
  if (call.args.some((word) => word.startsWith("ssh://"))) return await joinFarNodes(call, context);
  if (call.args.length > 1)
    throw usage(`${call.args[1]} is one URL too many`, "this machine joins one control plane");
  if (flag(call.options, "dryRun"))
    throw usage("--dry-run is for machines over ssh", "nothing is changed there by the agent");
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
  return localDriver({
    root,
    log,
    self: selfCommand(root, call.options),
    registries: nodeRegistries(call, context),
    node,
    retention: retentionOf(call),
    cleanupWait: cleanupWaitOf(call),
    syslog: list(call.options, "syslog"),
  });
}

function engineDriver(call: Call, context: Context, name: string): Driver {
  const { log } = context;
  const { containers, engine, records } = dockerNode(call, context);
  const endpoint = new TaskServer(dockerPlace(engine), log);
  const node: DriverNode = thisMachine(name, "docker");
  return new TaskDriver({
    name: "agents",
    endpoint,
    containers,
    records,
    logKeeper: new LogKeeper(join(context.root.path, "cluster", "agent-logs"), retentionOf(call)),
    cleanupWait: cleanupWaitOf(call),
    syslog: list(call.options, "syslog"),
    node,
    refuses: refusalOfEngine,
    log,
  });
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

function tokenOf(call: Call): string {
  const token = givenToken(call);
  if (token !== undefined) return token;
  throw usage(
    "no token is given",
    "print it with `tranship cluster token` where the control plane is, and give --token-file",
  );
}

async function joinFarNodes(call: Call, context: Context): Promise<undefined> {
  const other = call.args.find((word) => !word.startsWith("ssh://"));
  if (other !== undefined)
    throw usage(
      `${other} stands beside machines over ssh`,
      "the control plane is given by --endpoint-url there",
    );
  attributesOf(call);
  return await joinNodes(call, context);
}
