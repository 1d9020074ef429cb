// tranship cluster serve: the control plane, in the foreground until a signal.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { parseDuration } from "../../base/units.ts";
import { AgentsDriver } from "../../cluster/drivers/agents/agents-driver.ts";
import { Engine } from "../../cluster/drivers/docker/engine.ts";
import { localDriver } from "../../cluster/drivers/local/local-driver.ts";
import { NullDriver } from "../../cluster/drivers/null-driver.ts";
import { watchSwarm } from "../../cluster/drivers/swarm/swarm-members.ts";
import {
  accessKeys,
  clusterDirectory,
  joinToken,
  sessionKey,
  writeCredentials,
  writeEndpoint,
} from "../../cluster/keys.ts";
import { RoleStore } from "../../cluster/roles/role-store.ts";
import { TaskRoles } from "../../cluster/roles/task-roles.ts";
import { makeControlPlane } from "../../cluster/serve.ts";
import { inputResolver } from "../../cluster/task-inputs.ts";
import type { Context } from "../context.ts";
import { registrySettings } from "../registry/settings.ts";
import { selfCommand } from "../self.ts";
import { tlsOptions } from "../tls.ts";
import { type Call, flag, list, text } from "../verb.ts";
import { cleanupWaitOf, keepingWords, retentionOf } from "./retention.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { options } = call;
  const { host, port } = parseListen(text(options, "listen") ?? "127.0.0.1:8080");
  const account = text(options, "account") ?? "000000000000";
  if (!/^\d{12}$/.test(account)) throw usage(`--account ${account} is not twelve digits`);
  const region = text(options, "region") ?? "us-east-1";
  if (!/^[a-z0-9-]{1,40}$/.test(region)) throw usage(`--region ${region} is not the name of a region`);
  const unsigned = flag(options, "unsigned");
  const allowReset = flag(options, "allowReset");
  if ((unsigned || allowReset) && !isLoopback(host))
    throw usage(`--unsigned and --allow-reset are for loopback only, not ${host}`);
  const environmentFiles = text(options, "environmentFiles");
  const tls = tlsOptions(options);
  const agents = agentsDriver(call, context);
  const keys = accessKeys(context.root.path);
  const roles = new RoleStore(context.root.path);
  const plane = await makeControlPlane({
    stateFile: join(clusterDirectory(context.root.path), "state.db"),
    driver: agents ?? new NullDriver(),
    resolve: inputResolver({
      root: context.root.path,
      ...(environmentFiles === undefined ? {} : { environmentFiles }),
    }),
    roles: new TaskRoles({
      key: sessionKey(context.root.path),
      policyOf: (role) => roles.policyOf(role),
      lifetime: parseDuration(text(options, "credentialsLifetime") ?? "1h"),
    }),
    deregistrationDelay: parseDuration(text(options, "deregistrationDelay") ?? "5s"),
    nodeGrace: parseDuration(text(options, "nodeGrace") ?? "20s"),
    ...(tls === undefined ? {} : { tls }),
    ...(agents === undefined
      ? {}
      : { agents: { driver: agents, token: () => joinToken(context.root.path) } }),
    account,
    region,
    unsigned,
    allowReset,
    secretOf: (id) => keys.find(({ accessKeyId }) => accessKeyId === id)?.secretAccessKey,
    onEvent: ({ cluster, message }) => context.log.info(`${cluster}: ${message}`),
    onDefect: (error) =>
      context.log.error(error instanceof Error ? (error.stack ?? error.message) : String(error)),
  });
  let swarm: { close(): void } | undefined;
  try {
    await listen(plane.server.listen({ host, port }), `${host}:${port}`);
    const { port: actual } = plane.server.server.address() as AddressInfo;
    const url = `${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${actual}`;
    writeEndpoint(context.root.path, { url, region, account });
    if (agents?.name === "swarm") swarm = await joinSwarm(call, context, { driver: agents, url });
    const [key] = keys;
    if (key !== undefined) sayHow(context, url, region, writeCredentials(context.root.path, key));
    if (!context.signal.aborted) await once(context.signal, "abort");
  } finally {
    swarm?.close();
    await plane.close();
  }
}

function sayHow(context: Context, url: string, region: string, credentials: string): void {
  context.say(`control plane ready at ${url}`);
  context.say(`  export AWS_SHARED_CREDENTIALS_FILE=${credentials} AWS_DEFAULT_REGION=${region}`);
  context.say(`  aws ecs list-clusters --endpoint-url ${url}`);
}

/** undefined: the driver null, which runs nothing. */
function agentsDriver(call: Call, context: Context): AgentsDriver | undefined {
  const name = text(call.options, "driver") ?? "local";
  const [idle] = name === "agents" || name === "null" ? keepingWords(call) : [];
  if (idle !== undefined)
    throw usage(
      `${idle} has no effect with --driver ${name}, which runs no tasks: give it to \`cluster join\``,
    );
  if (name === "null") return undefined;
  if (name === "agents" || name === "swarm") return new AgentsDriver(name);
  const { root, log } = context;
  const registries = {
    hosts: list(call.options, "registry"),
    settings: registrySettings(call.options, context),
  };
  const own = localDriver({
    root,
    log,
    self: selfCommand(root, call.options),
    registries,
    retention: retentionOf(call),
    cleanupWait: cleanupWaitOf(call),
    syslog: list(call.options, "syslog"),
  });
  return new AgentsDriver("local", own);
}

function joinSwarm(
  call: Call,
  context: Context,
  { driver, url }: { driver: AgentsDriver; url: string },
): Promise<{ close(): void }> {
  const { options } = call;
  const image = text(options, "agentImage");
  if (image === undefined)
    throw usage("--driver swarm needs --agent-image: `tranship cluster agent-image` makes it");
  // As an agent that a person starts finds it in its own environment.
  const authorities = process.env.NODE_EXTRA_CA_CERTS ?? "";
  const agentUrl = text(options, "agentUrl") ?? url;
  return watchSwarm({
    engine: new Engine(text(options, "engineHost") ?? ""),
    driver,
    log: context.log,
    image,
    url: agentUrl,
    ...(authorities === "" || !agentUrl.startsWith("https:")
      ? {}
      : { authorities: readFileSync(authorities) }),
    token: joinToken(context.root.path),
    registries: list(options, "registry"),
    keeping: keepingWords(call),
  });
}

function parseListen(value: string): { host: string; port: number } {
  const [, bracketed, plain, port = ""] = /^(?:\[([0-9a-fA-F:]+)\]|([^:]+)):(\d{1,5})$/.exec(value) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65535) throw usage(`--listen ${value} is not HOST:PORT`);
  return { host, port: Number(port) };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

async function listen(listening: Promise<unknown>, what: string): Promise<void> {
  try {
    await listening;
  } catch (cause) {
    throw new TranshipError(
      "E_PORT_TAKEN",
      `${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        hint: "choose another address with --listen",
        cause,
      },
    );
  }
}

function usage(message: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint: "`tranship cluster serve --help`" });
}
