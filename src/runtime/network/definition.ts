// Networks that people make: a file each, which is there whole or not at all. What of a network is on the host at the moment: up.ts.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { createExclusive, makeDirectory, readJson } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";

export interface NetworkDefinition {
  readonly tranship: "network";
  readonly version: 1;
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  readonly subnet: string;
  /** Address of the host on the bridge. */
  readonly gateway: string;
  /** Where addresses of instances are chosen from; null: the whole subnet. */
  readonly range: string | null;
  readonly subnet6: string | null;
  readonly gateway6: string | null;
  /** Nothing but its instances and the host can be reached. */
  readonly internal: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** Names that mean something else. */
const reserved = ["bridge", "host", "none", "default"];

export function isPredefined(name: string): boolean {
  return reserved.includes(name);
}

export function checkNetworkName(name: string): string {
  if (isPredefined(name)) {
    throw new TranshipError("E_USAGE", `operation is not permitted on the predefined network ${name}`, {
      hint: "choose another name",
    });
  }
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name)) return name;
  throw new TranshipError("E_USAGE", `not a name for a network: ${JSON.stringify(name)}`, {
    hint: "use letters, digits, _ . and -, beginning with a letter or a digit",
  });
}

function directoryOf(root: StateRoot): string {
  return join(root.path, "network/defined");
}

function fileOf(root: StateRoot, name: string): string {
  return join(directoryOf(root), `${name}.json`);
}

/** By its exact name. E_STATE_CORRUPT, E_STATE_VERSION. */
export function readDefinition(root: StateRoot, name: string): NetworkDefinition | undefined {
  if (!/^[\w.-]+$/.test(name) || name.startsWith(".")) return undefined;
  const path = fileOf(root, name);
  const value = readJson(path) as NetworkDefinition | undefined;
  if (value === undefined) return undefined;
  if (value.tranship !== "network" || typeof value.id !== "string") {
    throw new TranshipError("E_STATE_CORRUPT", `${path} is no record of a network`, {
      hint: "remove that file; instances on the network have to be made anew",
    });
  }
  if ((value.version as number) === 1) return value;
  throw new TranshipError("E_STATE_VERSION", `${path} has version ${String(value.version)}`, {
    hint: "use the newer Tranship that wrote it",
  });
}

/** By name. */
export function listDefinitions(root: StateRoot): NetworkDefinition[] {
  let names: string[];
  try {
    names = readdirSync(directoryOf(root));
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith(".json") && !name.startsWith("."))
    .sort()
    .flatMap((name) => readDefinition(root, name.slice(0, -".json".length)) ?? []);
}

/** By name, by id, by the first digits of an id. E_NETWORK_NOT_FOUND, E_ID_AMBIGUOUS. */
export function findDefinition(root: StateRoot, text: string): NetworkDefinition {
  const named = readDefinition(root, text);
  if (named !== undefined) return named;
  const fits = /^[0-9a-f]+$/.test(text) ? listDefinitions(root).filter(({ id }) => id.startsWith(text)) : [];
  if (fits.length > 1) {
    throw new TranshipError(
      "E_ID_AMBIGUOUS",
      `${text} fits ${fits.length} networks: ${fits.map(({ name }) => name).join(", ")}`,
      { hint: "give more digits, or the name" },
    );
  }
  if (fits[0] !== undefined) return fits[0];
  throw new TranshipError("E_NETWORK_NOT_FOUND", `no such network: ${text}`, {
    hint: "`tranship network ls` lists what there is, `tranship network create` makes one",
  });
}

/** E_NAME_TAKEN. */
export function writeDefinition(root: StateRoot, network: NetworkDefinition): void {
  makeDirectory(directoryOf(root));
  step("network definition");
  if (createExclusive(fileOf(root, network.name), `${JSON.stringify(network, null, 2)}\n`)) return;
  throw new TranshipError("E_NAME_TAKEN", `network with name ${network.name} already exists`, {
    hint: "choose another name, or remove it with `tranship network rm`",
  });
}

export function removeDefinition(root: StateRoot, { name }: NetworkDefinition): void {
  step("remove the network");
  rmSync(fileOf(root, name), { force: true });
}
