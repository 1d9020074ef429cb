// A package as a task definition and a service of Amazon ECS, for --cli-input-json of the AWS CLI. Our own control plane is given more, by
// `cluster deploy`: volumes that it makes, and secrets that are files. Pure.
// Source: the API reference of Amazon ECS, RegisterTaskDefinition and CreateService; "task size" of its developer guide for Fargate.
import { TranshipError } from "../base/errors.ts";
import { defaultCapabilities } from "../package/capabilities.ts";
import type { Exported } from "./artefacts.ts";
import type { ExportFacts } from "./facts.ts";

export interface EcsWishes {
  launchType: "EC2" | "FARGATE";
  /** MiB, where the package has no limit. */
  memory: number;
  /** Id of the EFS file system that holds its volumes; without it they are docker's, on one node. */
  efs: string | undefined;
  executionRole: string | undefined;
}

const mebi = 2 ** 20;
/** Seconds, the most that ECS gives. */
const longestStop = 120;
const longestStart = 300;

/** E_USAGE where ECS cannot have what the package needs without a further flag. */
export function ecsOf(facts: ExportFacts, wishes: EcsWishes): Exported {
  refuse(facts, wishes);
  const far = wishes.launchType === "FARGATE";
  return {
    artefacts: [
      { path: "task-definition.json", text: json(definitionOf(facts, wishes)) },
      { path: "service.json", text: json(serviceOf(facts, wishes)) },
    ],
    left: [
      ...facts.left,
      ...facts.ownAlone,
      ...facts.files.map(({ path }) => `the secret ${path}: ECS gives secrets as variables, not as files`),
      ...facts.ports
        .filter(({ protocol }) => protocol === "sctp")
        .map(({ port }) => `the port ${port}: ECS knows no SCTP`),
      ...(facts.macAddress === null ? [] : ["the MAC address"]),
      ...(facts.calls === undefined ? [] : ["the learned list of system calls"]),
      ...(facts.limits.pids === undefined ? [] : ["the limit of its processes"]),
      ...(facts.limits.disk === undefined ? [] : ["the limit of what it writes outside of its volumes"]),
      ...(far && facts.hostname !== null ? [`the host name ${facts.hostname}: Fargate gives one`] : []),
      ...(far && facts.hosts.length > 0 ? ["redirected names: give them to the DNS of the network"] : []),
      ...(facts.stopSeconds > longestStop
        ? [`${facts.stopSeconds} s to stop in: ECS gives ${longestStop}`]
        : []),
    ],
    next: [
      ...facts.variables.map(
        (one) =>
          `aws ssm put-parameter --type SecureString --name ${parameterOf(facts, one.name)} --value ...`,
      ),
      "aws ecs register-task-definition --cli-input-json file://task-definition.json",
      "aws ecs create-service --cli-input-json file://service.json",
    ],
  };
}

function refuse({ variables, volumes }: ExportFacts, { launchType, efs, executionRole }: EcsWishes): void {
  if (launchType === "FARGATE" && volumes.length > 0 && efs === undefined)
    throw new TranshipError("E_USAGE", `Fargate keeps no data, and ${volumes[0]?.path} has to be kept`, {
      hint: "give --efs FILESYSTEM, or --launch-type EC2",
    });
  if (variables.length > 0 && executionRole === undefined)
    throw new TranshipError("E_USAGE", `ECS fetches the secret ${variables[0]?.name} by a role of its own`, {
      hint: "give --execution-role ARN",
    });
}

function definitionOf(facts: ExportFacts, wishes: EcsWishes): object {
  const { limits, volumes } = facts;
  const far = wishes.launchType === "FARGATE";
  const memory = limits.memory === undefined ? wishes.memory : Math.ceil(limits.memory / mebi);
  const cpu = Math.round((limits.cpus ?? 0) * 1024);
  const size = far ? sizeOf(cpu, memory) : undefined;
  return {
    family: facts.name,
    requiresCompatibilities: [wishes.launchType],
    networkMode: far ? "awsvpc" : "bridge",
    ...(wishes.executionRole === undefined ? {} : { executionRoleArn: wishes.executionRole }),
    ...(size === undefined ? {} : { cpu: String(size.cpu), memory: String(size.memory) }),
    ...(far
      ? {
          runtimePlatform: {
            cpuArchitecture: facts.architecture === "arm64" ? "ARM64" : "X86_64",
            operatingSystemFamily: "LINUX",
          },
        }
      : {}),
    containerDefinitions: [
      {
        name: facts.name,
        image: facts.image,
        essential: true,
        memory,
        ...(cpu === 0 ? {} : { cpu }),
        stopTimeout: Math.min(facts.stopSeconds, longestStop),
        ...(far || facts.hostname === null ? {} : { hostname: facts.hostname }),
        ...(far || facts.hosts.length === 0
          ? {}
          : { extraHosts: facts.hosts.map(({ name, address }) => ({ hostname: name, ipAddress: address })) }),
        portMappings: portsOf(facts, far),
        mountPoints: volumes.map((one) => ({
          sourceVolume: volumeName(facts, one.name),
          containerPath: one.path,
        })),
        ...(facts.variables.length === 0
          ? {}
          : { secrets: facts.variables.map(({ name }) => ({ name, valueFrom: parameterOf(facts, name) })) }),
        ...(limits.ulimits === undefined
          ? {}
          : {
              ulimits: limits.ulimits.map((one) => ({
                name: one.name,
                softLimit: one.soft,
                hardLimit: one.hard,
              })),
            }),
        ...capabilitiesOf(facts, far),
        ...healthOf(facts),
      },
    ],
    volumes: volumes.map((one) => volumeOf(volumeName(facts, one.name), wishes.efs)),
  };
}

function portsOf({ ports }: ExportFacts, far: boolean): object[] {
  return ports
    .filter(({ protocol }) => protocol !== "sctp")
    .map((one) => ({
      containerPort: one.port,
      // An address of its own has each port as it is.
      hostPort: far ? one.port : one.hostPort,
      protocol: one.protocol,
    }));
}

function volumeOf(name: string, efs: string | undefined): object {
  if (efs === undefined)
    return { name, dockerVolumeConfiguration: { scope: "shared", autoprovision: true, driver: "local" } };
  const encrypted = { transitEncryption: "ENABLED" };
  return { name, efsVolumeConfiguration: { fileSystemId: efs, rootDirectory: `/${name}`, ...encrypted } };
}

function volumeName({ name }: ExportFacts, volume: string): string {
  return `${name}-${volume}`;
}

function parameterOf({ name }: ExportFacts, variable: string): string {
  return `/${name}/${variable}`;
}

/** ECS changes docker's; Fargate adds none. */
function capabilitiesOf({ capabilities }: ExportFacts, far: boolean): object {
  if (capabilities === undefined) return {};
  const usual = new Set<string>(defaultCapabilities);
  const drop = [...usual].filter((name) => !capabilities.includes(name));
  const add = far ? [] : capabilities.filter((name) => !usual.has(name));
  return { linuxParameters: { capabilities: { add, drop } } };
}

function healthOf({ startSeconds }: ExportFacts): object {
  if (startSeconds === undefined) return {};
  const startPeriod = Math.min(startSeconds, longestStart);
  return {
    healthCheck: {
      command: ["CMD", "/.tranship/init", "--ready"],
      interval: 10,
      timeout: 5,
      retries: 3,
      startPeriod,
    },
  };
}

/** What has data must never run twice, and what has a port of the node cannot: the old task ends first. */
function serviceOf(facts: ExportFacts, { launchType }: EcsWishes): object {
  const far = launchType === "FARGATE";
  const alone = facts.volumes.length > 0 || (!far && facts.ports.length > 0);
  return {
    serviceName: facts.name,
    taskDefinition: facts.name,
    desiredCount: 1,
    launchType,
    deploymentConfiguration: {
      minimumHealthyPercent: alone ? 0 : 100,
      maximumPercent: alone ? 100 : 200,
      deploymentCircuitBreaker: { enable: true, rollback: true },
    },
    ...(far
      ? { networkConfiguration: { awsvpcConfiguration: { subnets: ["SUBNET"], securityGroups: ["GROUP"] } } }
      : {}),
  };
}

/** Processors in 1/1024, and the least, the most and the step of memory in GiB that go with them. */
const sizes = [
  [256, 0.5, 2, 0.5], [512, 1, 4, 1], [1024, 2, 8, 1], [2048, 4, 16, 1], [4096, 8, 30, 1], [8192, 16, 60, 4], [16_384, 32, 120, 8],
] as const; // biome-ignore format: a table

function sizeOf(cpu: number, memory: number): { cpu: number; memory: number } {
  for (const [processors, least, most, step] of sizes) {
    if (processors < cpu || most * 1024 < memory) continue;
    const steps = Math.max(0, Math.ceil((memory / 1024 - least) / step));
    // The smallest has 0.5, 1 and 2 GiB, and not 1.5.
    const gibi = processors === 256 && steps > 1 ? 2 : least + steps * step;
    return { cpu: processors, memory: gibi * 1024 };
  }
  throw new TranshipError("E_USAGE", `Fargate has no size for ${cpu / 1024} processors and ${memory} MiB`, {
    hint: "give --launch-type EC2, or change the limits with `tranship package edit`",
  });
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
