// What a package's descriptor says that other platforms can be told, in one form for all of them: names that every platform takes, times added up,
// defaults filled in. What none of them can be told is named in words. Pure.
import { parseSize } from "../base/units.ts";
import { isAddress } from "../formats/ip-address.ts";
import type { Descriptor, Secret } from "../package/descriptor.ts";
import { compileInitPlan } from "../package/init-plan.ts";
import { readyTime } from "../package/ready-time.ts";
import { type PackageLimits, runFacts } from "../package/run-facts.ts";
import { stopTime } from "../runtime/stop-time.ts";
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
  /** What is not carried over, one sentence each, whoever starts it. */
  readonly left: readonly string[];
  /** Likewise, but where our own `run` starts it. */
  readonly ownAlone: readonly string[];
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
  const ready = readyTime(descriptor);
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
    stopSeconds: Math.ceil(stopTime(compileInitPlan(descriptor), []) / 1000),
    startSeconds: ready === undefined ? undefined : Math.ceil(ready / 1000),
    capabilities: capabilities ?? undefined,
    calls: calls.length === 0 ? undefined : calls,
    limits,
    hosts: descriptor.redirections.network
      .filter(({ kind, to }) => kind === "name" && isAddress(to))
      .map(({ from, to }) => ({ name: from, address: to })),
    rootOnly: descriptor.programs.every(({ user = "root" }) => /^(root|0)(:.*)?$/.test(user)),
    left: [...(optionalSecrets ? [] : leftSecrets(descriptor)), ...leftHooks(descriptor)],
    ownAlone: leftToOthers(descriptor),
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

function leftSecrets({ secrets }: Descriptor): string[] {
  return secrets
    .filter(({ required }) => !required)
    .map((one) => {
      const what = one.delivery === "env" ? one.name : one.path;
      return `the secret ${what}, which is optional (--optional-secrets takes such ones in)`;
    });
}

function leftHooks({ hooks }: Descriptor): string[] {
  const count = hooks.preInstall.length + hooks.postInstall.length + hooks.uninstall.length;
  return count === 0 ? [] : [`${count} hooks; run them by hand`];
}

function leftToOthers(descriptor: Descriptor): string[] {
  const { redirections, links, identity, limits, excludes } = descriptor;
  const merged = redirections.files.filter(({ mode }) => mode === "merged");
  const named = redirections.network.filter(({ kind, to }) => kind === "name" && !isAddress(to));
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
    ...(licence.length === 0 ? [] : [`${licence.join(", ")} of the source`]),
    ...(limits.network === null ? [] : [`the limit of its network, ${limits.network}`]),
    ...(excludes.length === 0 ? [] : [`programs that start outside of the package: ${excludes.join(", ")}`]),
    ...(needsEngine(descriptor) && descriptor.origin.architecture !== "amd64"
      ? ["redirections and elements: the engine that an image has for them is for amd64"]
      : []),
  ];
}

function needsEngine({ redirections, elements }: Descriptor): boolean {
  const { clock, uname, vsyscall, loopback } = elements;
  return (
    redirections.files.length > 0 ||
    redirections.network.some(({ kind }) => kind !== "name") ||
    clock !== null || uname !== null || vsyscall !== "auto" || loopback !== "kernel"
  ); // biome-ignore format: as it is read
}
