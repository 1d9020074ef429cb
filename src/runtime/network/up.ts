// What of networks is on the host: a bridge for each that an instance uses, a table, sysctls. Made with the first instance, undone with the
// last; a bridge with the last of its own. network/bridge.json says what is there.
import { existsSync, readlinkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { bootId } from "../../host/boot-id.ts";
import { bridgeUpArguments } from "../../host/enter-network.ts";
import { makeDirectory, readJson, writeFileAtomic } from "../../host/files.ts";
import { Journal } from "../../host/journal.ts";
import { acquireLock, type Lock } from "../../host/lock.ts";
import { nativePath } from "../../host/native.ts";
import { run, runChecked } from "../../host/process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { defaultNetwork } from "./attachments.ts";
import { chooseSubnet, refuseCollision } from "./choice.ts";
import { readDefinition } from "./definition.ts";
import { bridgeOf, networkNames } from "./devices.ts";
import { readRoutes } from "./routes.ts";
import { addNetworkText, deleteNetworkCommands, type Family, type RuledNetwork, tableText } from "./rules.ts";
import { formatSubnet, gatewayOf, parseSubnet } from "./subnet.ts";
import { makeSysctls } from "./sysctls.ts";
import { undoExecutors } from "./undo.ts";

/** A network while its bridge is there. */
export interface UpNetwork extends RuledNetwork {
  gateway: string;
  gateway6: string | null;
}

/** What network/bridge.json holds. */
export interface Up {
  /** The boot and the network namespace in which all of it was made: elsewhere it does not exist. */
  bootId: string;
  netns: string;
  table: string;
  /** Whether there is a table for IPv6 too: since the first network that has it. */
  ipv6: boolean;
  /** By name. */
  networks: Record<string, UpNetwork>;
}

/** Owners of entries in the journal: what all networks need, and what one needs. */
const owner = "network";
const ownerOf = (name: string): string => `network:${name}`;
const isOwner = (who: string): boolean => who === owner || who.startsWith("network:");

function here(): { bootId: string; netns: string } {
  return { bootId: bootId(), netns: readlinkSync("/proc/self/ns/net") };
}

/** Its presence says that there may be something to undo. */
export function upFile(root: StateRoot): string {
  return join(root.path, "network/bridge.json");
}

function readFile(path: string): Up | undefined {
  try {
    const value = readJson(path) as Up | null | undefined;
    // An earlier version had one bridge, and another form.
    return typeof value?.networks === "object" && value.networks !== null ? value : undefined;
  } catch (error) {
    if (!isTranshipError(error, "E_STATE_CORRUPT")) throw error;
    return undefined; // damaged: what is up is in the journal too
  }
}

/** What is up here and now. */
export function readUp(root: StateRoot): Up | undefined {
  const up = readFile(upFile(root));
  if (up === undefined) return undefined;
  const { bootId: boot, netns } = here();
  if (up.bootId !== boot || up.netns !== netns) return undefined;
  const devices = new Set(readRoutes().map(({ device }) => device));
  return Object.values(up.networks).every(({ device }) => devices.has(device)) ? up : undefined;
}

/** A network is up whose instances know each other by name. */
export function namesInUse(root: StateRoot): boolean {
  const names = Object.keys(readFile(upFile(root))?.networks ?? {});
  return names.some((name) => name !== defaultNetwork);
}

/** Milliseconds: on a busy machine a bridge with its rules takes a second, and many commands may want it at once. */
const patience = 60_000;
/** Who is last among those of this process that want it, by path: they come one after the other, as of many that ask for a file again and again one may never be lucky. */
const queues = new Map<string, Promise<void>>();

export async function lockNetwork(root: StateRoot): Promise<Lock> {
  const path = join(root.locks, "network");
  const before = queues.get(path);
  const { promise: left, resolve: leave } = Promise.withResolvers<void>();
  queues.set(path, left);
  const done = (): void => {
    if (queues.get(path) === left) queues.delete(path);
    leave();
  };
  await before;
  try {
    const lock = await acquireLock(path, "network", patience);
    return {
      release: () => {
        lock.release();
        done();
      },
    };
  } catch (error) {
    done();
    throw error;
  }
}

/** Makes networks usable. The caller has already made itself seen as starting: see releaseNetworks(). E_NETWORK, E_NETWORK_NOT_FOUND. */
export async function ensureNetworks(root: StateRoot, names: readonly string[], log: Log): Promise<Up> {
  const fits = (up: Up | undefined): up is Up =>
    up !== undefined && names.every((name) => up.networks[name] !== undefined);
  const ready = readUp(root);
  if (fits(ready)) return ready;
  const lock = await lockNetwork(root);
  try {
    const now = readUp(root);
    if (fits(now)) return now;
    return await makeNetworks({ root, journal: new Journal(root.journal, log), log }, now, names);
  } finally {
    lock.release();
  }
}

interface Work {
  root: StateRoot;
  journal: Journal;
  log: Log;
}

async function makeNetworks(work: Work, now: Up | undefined, names: readonly string[]): Promise<Up> {
  const { root, journal, log } = work;
  const { table } = networkNames(root);
  if (now === undefined) await undoAll(work);
  const up: Up = now ?? { ...here(), table, ipv6: false, networks: {} };
  const missing = names.filter((name) => up.networks[name] === undefined);
  const added = missing.map((name) => [name, networkToBe(root, name)] as const);
  const six = !up.ipv6 && added.some(([, { subnet6 }]) => subnet6 !== null);
  const text: string[] = [];
  for (const family of [...(now === undefined ? ["ip"] : []), ...(six ? ["ip6"] : [])] as Family[]) {
    journal.record(owner, { kind: "nft-table", family, name: table });
    text.push(tableText(table, family));
  }
  up.ipv6 ||= six;
  for (const [, network] of added) {
    text.push(addNetworkText(table, "ip", network));
    if (up.ipv6) text.push(addNetworkText(table, "ip6", network));
  }
  step("nft table");
  await runChecked("nft", ["-f", "-"], { input: text.join("") });
  for (const [name, network] of added) {
    await makeBridge(journal, name, network);
    up.networks[name] = network;
  }
  makeSysctls(journal, owner, { ipv4: now === undefined, ipv6: six });
  makeDirectory(join(root.path, "network"));
  step("bridge.json");
  writeFileAtomic(upFile(root), `${JSON.stringify(up)}\n`, { volatile: true });
  log.debug(
    `network: ${added.map(([name, { device, subnet }]) => `${name} ${device} ${subnet}`).join(", ")}`,
  );
  return up;
}

async function makeBridge(journal: Journal, name: string, network: UpNetwork): Promise<void> {
  const { device, subnet, gateway, subnet6, gateway6 } = network;
  journal.record(ownerOf(name), { kind: "bridge", name: device });
  step("bridge up");
  const six = subnet6 === null || gateway6 === null ? [] : [`${gateway6}/${subnet6.split("/")[1]}`];
  const addresses = [`${gateway}/${subnet.split("/")[1]}`, ...six];
  await runChecked(nativePath("enter"), bridgeUpArguments(device, addresses));
  writeFileSync(`/proc/sys/net/ipv4/conf/${device}/route_localnet`, "1");
}

/** E_NETWORK_NOT_FOUND; E_NETWORK where a route of the host has come in its way. */
function networkToBe(root: StateRoot, name: string): UpNetwork {
  if (name === defaultNetwork) {
    const subnet = chooseSubnet(root);
    const device = networkNames(root).bridge;
    return {
      device,
      subnet: formatSubnet(subnet),
      gateway: gatewayOf(subnet),
      subnet6: null,
      gateway6: null,
      internal: false,
    };
  }
  const definition = readDefinition(root, name);
  if (definition === undefined) {
    throw new TranshipError("E_NETWORK_NOT_FOUND", `no such network: ${name}`, {
      hint: "make it with `tranship network create`, or disconnect the instance from it",
    });
  }
  const { subnet, gateway, subnet6, gateway6, internal } = definition;
  const device = bridgeOf(definition);
  refuseCollision({ subnet: parseSubnet(subnet), subnet6 }, device);
  return { device, subnet, gateway, subnet6, gateway6, internal };
}

/** As recorded, wherever it was made; after a crash in releaseNetworks() it lies aside. */
function readRecorded(root: StateRoot): Up | undefined {
  return readFile(upFile(root)) ?? readFile(`${upFile(root)}.undo`);
}

/** Leftovers of another boot or namespace are gone with it; those of this one are undone. */
async function undoAll({ root, journal }: Work): Promise<void> {
  const old = readRecorded(root);
  const { bootId: boot, netns } = here();
  if (old !== undefined && (old.bootId !== boot || old.netns !== netns)) {
    for (const { name, entry } of journal.entries()) if (isOwner(entry.owner)) journal.forget(name);
  } else {
    await journal.undo(isOwner, undoExecutors(ownBridges(journal)));
  }
  rmSync(upFile(root), { force: true });
  rmSync(`${upFile(root)}.undo`, { force: true });
}

function ownBridges(journal: Journal): ReadonlySet<string> {
  return new Set(
    journal
      .entries()
      .flatMap(({ entry: { owner: who, change } }) =>
        isOwner(who) && change.kind === "bridge" ? [change.name] : [],
      ),
  );
}

/**
 * Undoes what nobody uses: a bridge, or all where there is no user left. First the file is set aside, then the users are counted: a
 * starting instance shows itself first and reads the file then, so one of the two always sees the other. `used`: names of networks; those that are
 * known are asked for.
 */
export async function releaseNetworks(
  root: StateRoot,
  log: Log,
  used: (known: readonly string[]) => ReadonlySet<string>,
): Promise<boolean> {
  const file = upFile(root);
  const aside = `${file}.undo`;
  const present = () => existsSync(file) || existsSync(aside);
  const journal = new Journal(root.journal, log);
  const known = (): string[] => strayOwners(journal, readRecorded(root));
  const entries = journal.entries().some(({ entry }) => isOwner(entry.owner));
  if (!present() && !entries) return false;
  const names = known();
  const before = used(names);
  if (before.size > 0 && names.every((name) => before.has(name))) return false;
  const lock = await lockNetwork(root);
  try {
    if (existsSync(file)) renameSync(file, aside);
    const owners = known();
    const users = used(owners);
    const stray = owners.filter((name) => !users.has(name));
    if (users.size > 0) return await releaseSome({ root, journal, log }, stray);
    step("network undo");
    await undoAll({ root, journal, log });
    log.debug("network: bridges, table and sysctls undone with the last instance");
    return true;
  } finally {
    lock.release();
  }
}

/** Networks that the journal or the file knows: candidates to go when nobody uses them. */
function strayOwners(journal: Journal, up: Up | undefined): string[] {
  const journalled = journal
    .entries()
    .flatMap(({ entry }) =>
      entry.owner.startsWith("network:") ? [entry.owner.slice("network:".length)] : [],
    );
  return [...new Set([...journalled, ...Object.keys(up?.networks ?? {})])];
}

/** With the file set aside. */
async function releaseSome({ root, journal, log }: Work, names: readonly string[]): Promise<boolean> {
  const file = upFile(root);
  const up = readRecorded(root);
  for (const name of names) {
    step("bridge undo");
    await journal.undo((who) => who === ownerOf(name), undoExecutors(ownBridges(journal)));
    const network = up?.networks[name];
    if (up === undefined || network === undefined) continue;
    for (const family of ["ip", ...(up.ipv6 ? ["ip6"] : [])] as Family[])
      for (const command of deleteNetworkCommands(up.table, family, network))
        await run("nft", ["-f", "-"], { input: command });
    delete up.networks[name];
    log.debug(`network: ${name} undone with its last instance`);
  }
  if (up !== undefined) writeFileAtomic(file, `${JSON.stringify(up)}\n`, { volatile: true });
  rmSync(`${file}.undo`, { force: true });
  return names.length > 0;
}
