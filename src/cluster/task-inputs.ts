// What tasks get that does not stand in their definition: secrets, and variables from files.
import { join } from "node:path";
import { readInput } from "../host/files.ts";
import type { ContainerDefinition, KeyValuePair, TaskDefinition, TaskOverride } from "./api/shapes.ts";
import type { ContainerInputs, RegistryLogin } from "./drivers/driver.ts";
import { SecretStore } from "./secret-store.ts";

export interface TaskInputsOptions {
  /** Path of the state root. */
  root: string;
  /** Directory that stands for the buckets of environment files: BUCKET/KEY below it. Default: none are read. */
  environmentFiles?: string;
}

/** Resolves what a definition asks for; a text says what is missing, without any value. */
export type ResolveInputs = (
  definition: TaskDefinition,
  overrides?: TaskOverride,
) => Record<string, ContainerInputs> | string;

const largestFile = 1 << 20;

export function inputResolver(options: TaskInputsOptions): ResolveInputs {
  const secrets = new SecretStore(options.root);
  return (definition, { containerOverrides = [] } = {}) => {
    const inputs: Record<string, ContainerInputs> = {};
    for (const container of definition.containerDefinitions ?? []) {
      const override = containerOverrides.find(({ name }) => name === container.name);
      const files = [...(container.environmentFiles ?? []), ...(override?.environmentFiles ?? [])];
      const found = ofContainer({ ...container, environmentFiles: files }, secrets, options.environmentFiles);
      if (typeof found === "string") return `ResourceInitializationError: ${found}`;
      if (found.secrets.length + found.environment.length > 0 || found.registry !== undefined)
        inputs[container.name ?? ""] = found;
    }
    return inputs;
  };
}

function ofContainer(
  container: ContainerDefinition,
  secrets: SecretStore,
  directory: string | undefined,
): ContainerInputs | string {
  const found: ContainerInputs = { secrets: [], environment: [] };
  for (const { name, valueFrom } of container.secrets ?? []) {
    const value = secretValue(secrets, valueFrom);
    if (value === undefined)
      return `unable to pull secrets: the secret ${valueFrom.slice(0, 200)} of container ${container.name} is not known`;
    found.secrets.push({ name, value });
  }
  for (const { value: file } of container.environmentFiles ?? []) {
    const text = environmentFile(file, directory);
    if (text === undefined)
      return `unable to read the environment file ${file.slice(0, 200)} of container ${container.name}`;
    found.environment.push(...parseEnvironment(text));
  }
  const { credentialsParameter: login } = container.repositoryCredentials ?? {};
  if (login === undefined) return found;
  const registry = loginOf(secretValue(secrets, login));
  if (registry === undefined)
    return `unable to pull registry auth: the secret ${login.slice(0, 200)} of container ${container.name} is not known, or is no JSON object with username and password`;
  return { ...found, registry };
}

/** As the vendor has them: {"username": ..., "password": ...}. */
function loginOf(text: string | undefined): RegistryLogin | undefined {
  if (text === undefined) return undefined;
  const [username, password] = [memberOf(text, "username"), memberOf(text, "password")];
  return username === undefined || password === undefined ? undefined : { username, password };
}

/** A name; the ARN of a parameter; or that of a secret, with the key of a JSON object where one is wanted. */
export function secretValue(secrets: Pick<SecretStore, "get">, valueFrom: string): string | undefined {
  const [, parameter] = /^arn:aws[a-z-]*:ssm:[^:]*:[^:]*:parameter\/?(.+)$/.exec(valueFrom) ?? [];
  if (parameter !== undefined) return secrets.get(parameter);
  const [, secret, key = ""] =
    /^arn:aws[a-z-]*:secretsmanager:[^:]*:[^:]*:secret:([^:]+)(?::([^:]*))?/.exec(valueFrom) ?? [];
  if (secret === undefined) return valueFrom.startsWith("arn:") ? undefined : secrets.get(valueFrom);
  // The vendor puts six random characters behind the name.
  const value = secrets.get(secret) ?? secrets.get(secret.replace(/-[A-Za-z0-9]{6}$/, ""));
  return value === undefined || key === "" ? value : memberOf(value, key);
}

function memberOf(text: string, key: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    const member = (value as Record<string, unknown>)[key];
    return typeof member === "string" ? member : JSON.stringify(member);
  } catch {
    return undefined;
  }
}

function environmentFile(arn: string, directory: string | undefined): string | undefined {
  const [, bucket = "", key = ""] = /^arn:aws[a-z-]*:s3:::([a-z0-9.-]+)\/([^\0]+\.env)$/.exec(arn) ?? [];
  const parts = [bucket, ...key.split("/")];
  if (directory === undefined || bucket === "" || parts.some((part) => part === "" || /^\.+$/.test(part)))
    return undefined;
  try {
    return readInput(join(directory, ...parts), "the environment file", largestFile)?.toString("utf8");
  } catch {
    return undefined;
  }
}

/** NAME=VALUE a line; empty ones and those that begin with # say nothing; nothing is expanded and quotes stay, as with the real agent. */
export function parseEnvironment(text: string): KeyValuePair[] {
  return text.split("\n").flatMap((line) => {
    const [, name, value = ""] = /^\s*([^#=\s][^=]*?)=(.*?)\r?$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, value }];
  });
}
