// What a package's descriptor says that other platforms can be told, in one form for all of them: names that every platform takes, times added up,
// defaults filled in. What none of them can be told is named in words. Pure.
import { parseDuration, parseSize } from "../base/units.ts";
import { isAddress } from "../formats/ip-address.ts";
import type { Descriptor, Secret } from "../package/descriptor.ts";
import { type PackageLimits, runFacts } from "../package/run-facts.ts";
import { NameSet, nameOf } from "./names.ts";

export interface ExportWishes {
  /** Of the application on the platform; default: the package's name. */
  name?: string;
  /** As the platform pulls it. */
  image: string;
  /** Ports of the host by port of the package. */
  hostPorts: ReadonlyMap<number, number>;
  /** Secrets that the package can do without too: platforms start nothing while one of those that they are told is missing. */
  optionalSecrets?: boolean;
}

export interface ExportFacts {
  /** A DNS label, as all that are called `name` below. */
  readonly name: string;
  readonly image: string;
  /** As GOARCH has it. */
  readonly architecture: string;
  readonly hostname: string | null;
  readonly domain: string | null;
  readonly macAddress: string | null;
  readonly ports: readonly ExportPort[];
  readonly volumes: readonly ExportVolume[];
  readonly files: readonly ExportFile[];
  readonly variables: readonly { readonly name: string }[];
  /** Until all services had their time to stop. */
  readonly stopSeconds: number;
  /** In which all services are ready; undefined: nothing says when they are. */
  readonly startSeconds: number | undefined;
  /** Without CAP_; undefined: those that containers have by default. */
  readonly capabilities: readonly string[] | undefined;
  /** Names of the system calls that the capture saw, where nothing else is to be allowed. */
  readonly calls: readonly string[] | undefined;
  readonly limits: PackageLimits;
  /** Host names that lead to an address. */
  readonly hosts: readonly { readonly name: string; readonly address: string }[];
  /** Whether all its programs run as root. */
  readonly rootOnly: boolean;
  /** What is not carried over, one sentence each. */
  readonly left: readonly string[];
}

export interface ExportPort {
  readonly name: string;
  readonly port: number;
  readonly hostPort: number;
  readonly protocol: "tcp" | "udp" | "sctp";
}

export interface ExportVolume {
  readonly name: string;
  readonly path: string;
  /** The package's content belongs into an empty one. */
  readonly filled: boolean;
  /** Bytes at the capture. */
  readonly size: number;
}

/** A secret that is a file. */
export interface ExportFile {
  /** The last part of its path, as far as platforms take that for a key: letters, digits, dots, - and _. */
  readonly name: string;
  readonly path: string;
}

/** E_DESCRIPTOR_INVALID where a value cannot be. `reference`: what the descriptor belongs to. */
export function exportFacts(
  descriptor: Descriptor,
  reference: string,
  { name, image, hostPorts, optionalSecrets = false }: ExportWishes,
): ExportFacts {
  const { identity, limits, capabilities, syscalls } = runFacts(descriptor, reference);
  const calls = syscalls.profile === "learned" ? (syscalls.calls ?? []) : [];
  return {
    name: name ?? nameOf(descriptor.metadata.name, "application"),
    image,
    architecture: descriptor.origin.architecture,
    hostname: identity.hostname,
    domain: identity.domain,
    macAddress: identity.macAddress,
    ports: portsOf(descriptor, hostPorts),
    volumes: volumesOf(descriptor),
    ...secretsOf(descriptor.secrets.filter(({ required }) => required || optionalSecrets)),
    stopSeconds: stopSeconds(descriptor),
    startSeconds: startSeconds(descriptor),
    capabilities: capabilities ?? undefined,
    calls: calls.length === 0 ? undefined : calls,
    limits,
    hosts: descriptor.redirections.network
      .filter(({ kind, to }) => kind === "name" && isAddress(to))
      .map(({ from, to }) => ({ name: from, address: to })),
    rootOnly: descriptor.programs.every(({ user = "root" }) => /^(root|0)(:.*)?$/.test(user)),
    left: [...(optionalSecrets ? [] : leftSecrets(descriptor)), ...leftOut(descriptor)],
  };
}

function portsOf({ ports }: Descriptor, hostPorts: ReadonlyMap<number, number>): ExportPort[] {
  // Kubernetes takes fifteen characters.
  const names = new NameSet(15);
  return ports.map(({ port, protocol, name }) => ({
    name: names.add(name ?? `${protocol}-${port}`, `${protocol}-${port}`),
    port,
    hostPort: hostPorts.get(port) ?? port,
    protocol,
  }));
}

function volumesOf({ volumes }: Descriptor): ExportVolume[] {
  const names = new NameSet();
  return volumes.map(({ path, initial, size }) => ({
    name: names.add(path, "data"),
    path,
    filled: initial === "copy",
    size: size === undefined ? 0 : parseSize(size),
  }));
}

function secretsOf(secrets: readonly Secret[]): Pick<ExportFacts, "files" | "variables"> {
  const files: ExportFile[] = [];
  const variables: { name: string }[] = [];
  for (const secret of secrets) {
    if (secret.delivery === "env") variables.push({ name: secret.name });
    else {
      const taken = files.map((one) => one.name);
      files.push({ name: fileName(secret.path, taken), path: secret.path });
    }
  }
  return { files, variables };
}

function fileName(path: string, taken: readonly string[]): string {
  const last = path.slice(path.lastIndexOf("/") + 1).replace(/[^A-Za-z0-9._-]/g, "-");
  const base = /^\.{0,2}$/.test(last) ? "secret" : last.slice(-60);
  if (!taken.includes(base)) return base;
  for (let count = 2; ; count++) if (!taken.includes(`${count}-${base}`)) return `${count}-${base}`;
}

/** What init itself takes for what services leave running, and for its own end. */
const initSeconds = 5;

function stopSeconds({ services }: Descriptor): number {
  const sum = services
    .filter(({ startup = "auto", type }) => startup === "auto" && type !== "oneshot")
    .reduce((total, { stop }) => total + parseDuration(stop?.timeout ?? "10s"), 0);
  return Math.max(10, Math.ceil(sum / 1000)) + initSeconds;
}

function startSeconds({ services }: Descriptor): number | undefined {
  const waits = services.flatMap(({ readiness, startup = "auto" }) => {
    const told = readiness?.port ?? readiness?.file ?? readiness?.exec ?? readiness?.log;
    return startup !== "auto" || told === undefined ? [] : [parseDuration(readiness?.timeout ?? "30s")];
  });
  // One may wait for another.
  return waits.length === 0 ? undefined : Math.ceil(waits.reduce((sum, wait) => sum + wait, 0) / 1000);
}

function leftSecrets({ secrets }: Descriptor): string[] {
  return secrets
    .filter(({ required }) => !required)
    .map((one) => {
      const what = one.delivery === "env" ? one.name : one.path;
      return `the secret ${what}, which is optional (--optional-secrets takes such ones in)`;
    });
}

function leftOut({ redirections, links, hooks, identity, limits, excludes }: Descriptor): string[] {
  const merged = redirections.files.filter(({ mode }) => mode === "merged");
  const named = redirections.network.filter(({ kind, to }) => kind === "name" && !isAddress(to));
  const hooked = hooks.preInstall.length + hooks.postInstall.length + hooks.uninstall.length;
  const licence = [
    ...(identity.machineId === null ? [] : ["machine id"]),
    ...(identity.hostId === null ? [] : ["host id"]),
    ...(identity.dmi === null ? [] : ["DMI values"]),
    ...(identity.addresses.length === 0 ? [] : ["addresses"]),
  ];
  return [
    ...merged.map(({ from }) => `${from} leads to the host's files as well (mode merged)`),
    ...named.map(({ from, to }) => `the name ${from} leads to the name ${to}: give it to your DNS`),
    ...(links.length === 0 ? [] : [`linked packages: ${links.join(", ")}`]),
    ...(hooked === 0 ? [] : [`${hooked} hooks; run them by hand`]),
    ...(licence.length === 0 ? [] : [`${licence.join(", ")} of the source`]),
    ...(limits.network === null ? [] : [`the limit of its network, ${limits.network}`]),
    ...(excludes.length === 0 ? [] : [`programs that start outside of the package: ${excludes.join(", ")}`]),
  ];
}
