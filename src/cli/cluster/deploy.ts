// tranship cluster deploy: a package as a service, new or updated, and the wait until it is there.
import { TranshipError } from "../../base/errors.ts";
import type {
  DescribeServicesResponse,
  DescribeTaskDefinitionResponse,
  RegisterTaskDefinitionRequest,
  RegisterTaskDefinitionResponse,
  Service,
} from "../../cluster/api/shapes.ts";
import type { ClusterClient } from "../../cluster/client.ts";
import { deploymentOf, taskDefinitionOf } from "../../cluster/from-package.ts";
import { nodeNeeds } from "../../cluster/node-needs.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { parseDescriptor } from "../../package/yaml.ts";
import { withMachine } from "../capture/with-machine.ts";
import type { Context } from "../context.ts";
import { packagedOf } from "../store/packaged.ts";
import { type Call, flag, list, text } from "../verb.ts";
import { clientOf } from "./client.ts";
import { settled } from "./settled.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [reference = ""] = call.args;
  const service = text(call.options, "service") ?? "";
  if (service === "")
    throw new TranshipError("E_USAGE", "--service is missing", { hint: "name the service" });
  const cluster = text(call.options, "cluster") ?? "default";
  const descriptor = parseDescriptor(packagedOf(context, reference).text, reference);
  const count = text(call.options, "count");
  if (count !== undefined && !/^\d{1,4}$/.test(count))
    throw usage(`--count ${count} is not a number of tasks`);
  const shared = flag(call.options, "sharedVolumes");
  if (!shared) refuseCopies(descriptor, Number(count ?? 1));
  const published = hostPorts(list(call.options, "publish"));
  refuseUnknownPorts(descriptor, reference, published);
  const secrets = secretsOf(list(call.options, "secret"));
  refuseMissing(descriptor, reference, secrets);
  const needs = await withMachine(
    { address: `oci:${reference}`, options: {}, context, endsAtOnce: true },
    (machine) => nodeNeeds(descriptor, machine),
  );
  const memory = memoryOf(text(call.options, "memory") ?? "512");
  const definitionWith = (ports: ReadonlyMap<number, number>): RegisterTaskDefinitionRequest =>
    taskDefinitionOf(descriptor, { needs, service, image: reference, memory, secrets, hostPorts: ports });
  if (flag(call.options, "dryRun")) {
    context.print(JSON.stringify(definitionWith(published), null, 2));
    return;
  }
  const client = clientOf(call, context);
  await client.call("CreateCluster", { clusterName: cluster });
  const found = await activeService(client, cluster, service);
  // An update without --count has as many as there were.
  const tasks = Number(count ?? found?.desiredCount ?? 1);
  if (!shared) refuseCopies(descriptor, tasks);
  const ports = new Map([...(await portsOf(client, found)), ...published]);
  const registered = await client.call<RegisterTaskDefinitionResponse>(
    "RegisterTaskDefinition",
    definitionWith(ports),
  );
  const taskDefinition = registered.taskDefinition?.taskDefinitionArn;
  const fixed = descriptor.ports.some(({ port }) => (ports.get(port) ?? 0) > 0);
  const deploymentConfiguration = deploymentOf(descriptor, { shared, fixed, count: tasks });
  const wanted = { cluster, taskDefinition, deploymentConfiguration };
  if (found !== undefined)
    await client.call("UpdateService", {
      ...wanted,
      service,
      ...(count === undefined ? {} : { desiredCount: Number(count) }),
    });
  else
    await client.call("CreateService", { ...wanted, serviceName: service, desiredCount: Number(count ?? 1) });
  if (!flag(call.options, "detach"))
    await settled(() => clientOf(call, context), { cluster, service, wanted: taskDefinition }, context);
}

/** Two tasks on one volume would destroy what is in it. */
function refuseCopies(descriptor: Descriptor, count: number): void {
  const [volume] = descriptor.volumes;
  if (count < 2 || volume === undefined) return;
  throw new TranshipError("E_USAGE", `${count} copies would share the data in ${volume.path}`, {
    hint: "deploy one, take the data out of the package first (a database of its own), or give --shared-volumes where its programs write there together",
  });
}

/** Else nobody would hear that it is not published. */
function refuseUnknownPorts(
  { ports }: Descriptor,
  reference: string,
  published: ReadonlyMap<number, number>,
): void {
  const unknown = [...published.keys()].find((port) => !ports.some((each) => each.port === port));
  if (unknown !== undefined)
    throw new TranshipError("E_USAGE", `${reference} names no port ${unknown} to publish`, {
      hint:
        ports.length === 0
          ? `add it with \`tranship package edit --set 'ports[+]={port: ${unknown}}'\``
          : `it has ${ports.map(({ port }) => port).join(", ")}; \`tranship package edit\` adds others`,
    });
}

/** Said before a rollout fails for it. */
function refuseMissing(descriptor: Descriptor, reference: string, given: ReadonlyMap<string, string>): void {
  for (const secret of descriptor.secrets) {
    const target = "path" in secret ? secret.path : secret.name;
    if (!(secret.required ?? true) || given.has(target)) continue;
    throw new TranshipError("E_SECRET_MISSING", `${reference} needs the secret ${target}`, {
      hint: `keep it with \`tranship secret create NAME\` and give --secret ${target}=NAME`,
    });
  }
}

function secretsOf(words: readonly string[]): Map<string, string> {
  return new Map(
    words.map((word) => {
      const at = word.lastIndexOf("=");
      if (at < 1 || at === word.length - 1) throw usage(`--secret ${word} is not TARGET=NAME`);
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

async function activeService(
  client: ClusterClient,
  cluster: string,
  service: string,
): Promise<Service | undefined> {
  const seen = await client.call<DescribeServicesResponse>("DescribeServices", {
    cluster,
    services: [service],
  });
  return seen.services?.find(({ status }) => status === "ACTIVE");
}

/** Ports of the node by port of the package that the service has now: whoever uses it finds it there after an update too. */
async function portsOf(client: ClusterClient, service: Service | undefined): Promise<Map<number, number>> {
  if (service === undefined) return new Map();
  const { taskDefinition } = await client.call<DescribeTaskDefinitionResponse>("DescribeTaskDefinition", {
    taskDefinition: service.taskDefinition,
  });
  const mappings = taskDefinition?.containerDefinitions?.flatMap(({ portMappings = [] }) => portMappings);
  return new Map(mappings?.map(({ containerPort = 0, hostPort = 0 }) => [containerPort, hostPort]));
}

function memoryOf(value: string): number {
  const memory = Number(value);
  if (!Number.isInteger(memory) || memory < 4)
    throw usage(`--memory ${value} is not a number of MiB, at least 4`);
  return memory;
}

function hostPorts(words: readonly string[]): Map<number, number> {
  return new Map(
    words.map((word) => {
      const [, host, inside] = /^(\d{1,5}):(\d{1,5})$/.exec(word) ?? [];
      if (host === undefined || inside === undefined) throw usage(`--publish ${word} is not HOSTPORT:PORT`);
      return [Number(inside), Number(host)];
    }),
  );
}

function usage(message: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint: "`tranship cluster deploy --help`" });
}
