// What is wrong with a task definition, in the words of the real service where clients rely on them.

import { isAddress } from "../../formats/ip-address.ts";
import { clientError, invalidParameter } from "../api/ecs-error.ts";
import type { ContainerDefinition, RegisterTaskDefinitionRequest } from "../api/shapes.ts";
import { dependenciesOf } from "../drivers/dependencies.ts";
import { logProblem } from "../logs/log-options.ts";
import { labelProblem } from "../own-labels.ts";
import { parseExpression } from "../placement/expression.ts";
import { checkPaths, checkWords } from "./check-words.ts";

export function checkDefinition(input: RegisterTaskDefinitionRequest): void {
  const containers = input.containerDefinitions;
  if (containers.length === 0)
    throw clientError("TaskDefinition.containerDefinitions should not be null or empty.");
  if (containers.length > 120) throw clientError("A task definition has at most 120 containers.");
  checkSizes(input);
  checkFargate(input);
  const names = new Set<string>();
  for (const container of containers) {
    checkContainer(container, input);
    if (names.has(container.name ?? "")) throw clientError(`Container.name ${container.name} is used twice.`);
    names.add(container.name ?? "");
  }
  if (!containers.some(({ essential }) => essential ?? true))
    throw clientError("At least one container must be essential.");
  checkVolumes(input);
  checkPaths(input);
  checkDependencies(containers);
  for (const { type, expression } of input.placementConstraints ?? []) {
    if (type !== "memberOf")
      throw invalidParameter("Placement constraints of a task definition are of the type memberOf.");
    parseExpression(expression ?? "");
  }
}

/** Of a task, or of overrides for one. */
interface Sizes {
  cpu?: string | undefined;
  memory?: string | undefined;
}

export function checkSizes(given: Sizes): void {
  for (const field of ["cpu", "memory"] as const) {
    const text = given[field];
    if (text !== undefined && sizeOf(text, field) === undefined)
      throw clientError(`Invalid '${field}' setting for task: ${text.slice(0, 50)}`);
  }
}

function checkFargate(input: RegisterTaskDefinitionRequest): void {
  const fargate = input.requiresCompatibilities?.includes("FARGATE");
  for (const field of ["cpu", "memory"] as const)
    if (fargate && input[field] === undefined)
      throw clientError(`Fargate requires that '${field}' be defined at the task level.`);
  if (fargate && input.networkMode !== "awsvpc")
    throw clientError("Fargate only supports network mode 'awsvpc'.");
}

/** As numbers alone, as the real service keeps them: "0.5 GB" is "512". Of sizes that are right. */
export function plainSizes(given: Sizes): Sizes {
  const plain: Sizes = {};
  for (const field of ["cpu", "memory"] as const)
    if (given[field] !== undefined) plain[field] = String(sizeOf(given[field], field));
  return plain;
}

/** CPU units ("256", "0.25 vCPU") or MiB ("512", "0.5 GB"); undefined where it is neither. */
export function sizeOf(text: string, field: "cpu" | "memory"): number | undefined {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*(vcpu|gb)?$/i.exec(text.trim()) ?? [];
  if (number === "" || (unit !== "" && (unit.toLowerCase() === "gb") !== (field === "memory")))
    return undefined;
  const value = Number(number) * (unit === "" ? 1 : 1024);
  return Number.isInteger(value) && value > 0 && value < 1e9 ? value : undefined;
}

function checkContainer(container: ContainerDefinition, input: RegisterTaskDefinitionRequest): void {
  const { name = "", image = "" } = container;
  if (name === "") throw clientError("Container.name should not be null or empty.");
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(name))
    throw clientError(`Container.name ${name.slice(0, 50)} contains invalid characters.`);
  if (image === "") throw clientError("Container.image should not be null or empty.");
  if (image.length > 255 || /\s/.test(image))
    throw clientError(`Container.image contains invalid characters: ${image.slice(0, 60)}`);
  const { memory, memoryReservation, cpu = 0 } = container;
  if (memory === undefined && memoryReservation === undefined && input.memory === undefined)
    throw clientError(
      `Invalid setting for container '${name}'. At least one of 'memory' or 'memoryReservation' must be specified.`,
    );
  if (memory !== undefined && !(memory >= 4))
    throw clientError(`Invalid 'memory' setting for container '${name}': at least 4 MiB.`);
  if (memory !== undefined && memoryReservation !== undefined && memoryReservation > memory)
    throw clientError(
      `Invalid setting for container '${name}'. The hard limit, 'memory', must be greater than or equal to the soft limit, 'memoryReservation'.`,
    );
  if (!(cpu >= 0 && cpu <= 1_000_000)) throw clientError(`Invalid 'cpu' setting for container '${name}'.`);
  for (const { containerPort = 0, hostPort = 0 } of container.portMappings ?? []) {
    if (!(containerPort >= 1 && containerPort <= 65535) || !(hostPort >= 0 && hostPort <= 65535))
      throw clientError(`Invalid port mapping of container '${name}': ${hostPort}:${containerPort}.`);
    if (["awsvpc", "host"].includes(input.networkMode ?? "") && hostPort !== 0 && hostPort !== containerPort)
      throw clientError(
        `When networkMode=${input.networkMode}, the host ports and container ports in port mappings must match.`,
      );
  }
  const problem = logProblem(container) ?? labelProblem(container, input);
  if (problem !== undefined) throw clientError(problem);
  if ((container.links ?? []).length > 0) checkLinks(container, input);
  checkHosts(container, input);
  checkWords(container);
  checkResolver(container);
  if (input.networkMode === "none" && (container.portMappings ?? []).length > 0)
    throw clientError("When networkMode=none, port mappings are not allowed.");
  checkHealthCheck(container);
  const { restartPolicy } = container;
  if (restartPolicy?.enabled && restartPolicy.restartAttemptPeriod !== undefined) {
    const period = restartPolicy.restartAttemptPeriod;
    if (!(period >= 60 && period <= 1800))
      throw clientError("restartAttemptPeriod is between 60 and 1800 seconds.");
  }
  if ((container.stopTimeout ?? 0) < 0 || (container.startTimeout ?? 2) < 2)
    throw clientError(`Invalid timeout of container '${name}'.`);
}

function checkResolver({ name, dnsServers = [], dnsSearchDomains = [] }: ContainerDefinition): void {
  for (const server of dnsServers)
    if (!/^[0-9a-fA-F.:]+$/.test(server) || !isAddress(server))
      throw clientError(`Invalid address '${server.slice(0, 60)}' in dnsServers of container '${name}'.`);
  for (const domain of dnsSearchDomains)
    if (!/^(?=.{1,253}$)[A-Za-z0-9_.]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(domain))
      throw clientError(
        `Invalid domain '${domain.slice(0, 60)}' in dnsSearchDomains of container '${name}'.`,
      );
}

function checkHosts(
  { name, extraHosts = [] }: ContainerDefinition,
  { networkMode = "bridge" }: RegisterTaskDefinitionRequest,
): void {
  if (extraHosts.length > 0 && ["awsvpc", "host", "none"].includes(networkMode))
    throw clientError(`Extra hosts are not supported when networkMode=${networkMode}.`);
  for (const { hostname = "", ipAddress = "" } of extraHosts) {
    if (!/^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(hostname) || isAddress(hostname))
      throw clientError(`Invalid hostname '${hostname.slice(0, 60)}' in extraHosts of container '${name}'.`);
    if (!/^[0-9a-fA-F.:]+$/.test(ipAddress) || !isAddress(ipAddress))
      throw clientError(
        `Invalid ipAddress '${ipAddress.slice(0, 60)}' in extraHosts of container '${name}'.`,
      );
  }
}

/** Upper bounds are the real service's; below its lower ones (interval 5, timeout 2) nothing speaks against a second. */
const healthBounds = {
  interval: [1, 300],
  timeout: [1, 60],
  retries: [1, 10],
  startPeriod: [0, 300],
} as const;

function checkHealthCheck({ name, healthCheck }: ContainerDefinition): void {
  if (healthCheck === undefined) return;
  const [kind, ...words] = healthCheck.command;
  if (kind === undefined || (/^CMD(-SHELL)?$/.test(kind) && words.join("") === ""))
    throw clientError(`Health check of container '${name}' has no command.`);
  if (healthCheck.command.some((word) => word.includes("\0")))
    throw clientError(`Health check of container '${name}': a word of the command has a NUL in it.`);
  for (const [field, [least, most]] of Object.entries(healthBounds)) {
    const value = healthCheck[field as keyof typeof healthBounds];
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most))
      throw clientError(
        `Health check of container '${name}': ${field} is ${value}, but is to be a whole number between ${least} and ${most}.`,
      );
  }
}

function checkLinks(
  { name, links = [] }: ContainerDefinition,
  { networkMode = "bridge" }: RegisterTaskDefinitionRequest,
): void {
  if (networkMode !== "bridge") throw clientError(`Links are not supported when networkMode=${networkMode}.`);
  const aliases = new Set<string>();
  for (const link of links) {
    const [, target = "", alias = target] =
      /^([A-Za-z0-9_-]{1,255})(?::([A-Za-z0-9_-]{1,255}))?$/.exec(link) ?? [];
    if (target === "") throw clientError(`Invalid link '${link.slice(0, 60)}' of container '${name}'.`);
    if (aliases.has(alias))
      throw clientError(`Container '${name}' has two links called '${alias.slice(0, 60)}'.`);
    aliases.add(alias);
  }
}

function checkVolumes(input: RegisterTaskDefinitionRequest): void {
  const names = new Set<string>();
  for (const { name = "" } of input.volumes ?? []) {
    if (name === "") throw clientError("Volume.name should not be null or empty.");
    if (names.has(name)) throw clientError(`Volume.name ${name.slice(0, 60)} is used twice.`);
    names.add(name);
  }
  for (const { name, mountPoints } of input.containerDefinitions) {
    for (const { sourceVolume = "" } of mountPoints ?? [])
      if (!names.has(sourceVolume))
        throw clientError(`Unknown volume '${sourceVolume.slice(0, 60)}' in container '${name}'.`);
  }
}

/** Known names, sensible conditions, no circle. */
function checkDependencies(containers: readonly ContainerDefinition[]): void {
  const byName = new Map(containers.map((container) => [container.name ?? "", container]));
  for (const { name, dependsOn } of containers) {
    for (const { containerName, condition } of dependsOn ?? []) {
      const target = byName.get(containerName);
      if (target === undefined)
        throw clientError(
          `Container '${name}' depends on '${containerName.slice(0, 60)}', which is not in the task definition.`,
        );
      if (["COMPLETE", "SUCCESS"].includes(condition) && (target.essential ?? true))
        throw clientError(
          `Container '${name}': the condition ${condition} cannot be set on the essential container '${containerName}'.`,
        );
      if (condition === "HEALTHY" && target.healthCheck === undefined)
        throw clientError(
          `Container '${name}': the condition HEALTHY needs a health check on '${containerName}'.`,
        );
    }
  }
  // What links and borrowed volumes need besides.
  for (const container of containers)
    for (const { containerName } of dependenciesOf(container))
      if (!byName.has(containerName))
        throw clientError(
          `Container '${container.name}' needs '${containerName.slice(0, 60)}', which is not in the task definition.`,
        );
  const done = new Set<string>();
  const visit = (name: string, above: readonly string[]): void => {
    if (above.includes(name))
      throw clientError(`Containers depend on each other in a circle: ${[...above, name].join(" -> ")}.`);
    if (done.has(name)) return;
    for (const { containerName } of dependenciesOf(byName.get(name) ?? {}))
      visit(containerName, [...above, name]);
    done.add(name);
  };
  for (const name of byName.keys()) visit(name, []);
}
