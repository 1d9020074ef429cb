// The bridge, its sysctls and its table: made with the first instance on it, undone with the last.
import { existsSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { bootId } from "../../host/boot-id.ts";
import { bridgeUpArguments } from "../../host/enter-network.ts";
import { makeDirectory, readJson, writeFileAtomic } from "../../host/files.ts";
import { Journal } from "../../host/journal.ts";
import { acquireLock, type Lock } from "../../host/lock.ts";
import { nativePath } from "../../host/native.ts";
import { runChecked } from "../../host/process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { tableText } from "./rules.ts";
import {
  collision,
  formatSubnet,
  gatewayOf,
  parseRoutes,
  parseSubnet,
  type Route,
  type Subnet,
} from "./subnet.ts";
import { undoExecutors } from "./undo.ts";

/** What network/bridge.json holds while the bridge is usable. */
export interface Bridge {
  /** The boot and the network namespace in which it was made: elsewhere it does not exist. */
  bootId: string;
  netns: string;
  name: string;
  table: string;
  subnet: string;
  gateway: string;
}

/** Owner of its entries in the journal. */
const owner = "network";

/** Tried in this order where TRANSHIP_SUBNET names none. */
const candidates = Array.from({ length: 16 }, (_, index) => `10.${213 + index}.0.0/16`);

function here(): { bootId: string; netns: string } {
  return { bootId: bootId(), netns: readlinkSync("/proc/self/ns/net") };
}

/** FNV-1a: tells state roots apart, protects nothing, and needs no library. */
function shortHash(text: string): string {
  let hash = 0x811c_9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** Two state roots on one host have two bridges and two tables. */
export function networkNames(root: StateRoot): { bridge: string; table: string } {
  const hash = shortHash(root.path);
  return {
    bridge: root.path === "/var/lib/tranship" ? "tranship0" : `tr${hash}`,
    table: `tranship_${hash}`,
  };
}

function bridgeFile(root: StateRoot): string {
  return join(root.path, "network/bridge.json");
}

/** As recorded, wherever it was made; after a crash in releaseBridge() it lies aside. */
function readRecorded(root: StateRoot): Bridge | undefined {
  const file = bridgeFile(root);
  return (readJson(file) ?? readJson(`${file}.undo`)) as Bridge | undefined;
}

function routes(): Route[] {
  return parseRoutes(readFileSync("/proc/self/net/route", "latin1"));
}

/** The bridge as recorded, if it is of this boot and namespace and still there. */
export function readBridge(root: StateRoot): Bridge | undefined {
  const bridge = readJson(bridgeFile(root)) as Bridge | undefined;
  if (bridge === undefined) return undefined;
  const { bootId: boot, netns } = here();
  if (bridge.bootId !== boot || bridge.netns !== netns) return undefined;
  return routes().some((route) => route.device === bridge.name) ? bridge : undefined;
}

export function lockNetwork(root: StateRoot): Promise<Lock> {
  return acquireLock(join(root.locks, "network"), "network");
}

/** Makes the bridge usable. The caller has already made itself seen as starting: see releaseBridge(). */
export async function ensureBridge(root: StateRoot, log: Log): Promise<Bridge> {
  const ready = readBridge(root);
  if (ready !== undefined) return ready;
  const lock = await lockNetwork(root);
  try {
    return readBridge(root) ?? (await makeBridge(root, log));
  } finally {
    lock.release();
  }
}

async function makeBridge(root: StateRoot, log: Log): Promise<Bridge> {
  const journal = new Journal(root.journal, log);
  await undoAll(root, journal, readRecorded(root));
  const { bridge: name, table } = networkNames(root);
  const subnet = chooseSubnet(root, name);
  const gateway = gatewayOf(subnet);
  journal.record(owner, { kind: "nft-table", family: "ip", name: table });
  step("nft table");
  await runChecked("nft", ["-f", "-"], {
    input: tableText({ table, bridge: name, subnet: formatSubnet(subnet) }),
  });
  journal.record(owner, { kind: "bridge", name });
  step("bridge up");
  await runChecked(nativePath("enter"), bridgeUpArguments(name, [`${gateway}/${subnet.prefix}`]));
  writeFileSync(`/proc/sys/net/ipv4/conf/${name}/route_localnet`, "1");
  enableForwarding(journal);
  const bridge: Bridge = { ...here(), name, table, subnet: formatSubnet(subnet), gateway };
  makeDirectory(join(root.path, "network"));
  step("bridge.json");
  writeFileAtomic(bridgeFile(root), `${JSON.stringify(bridge)}\n`, { volatile: true });
  log.debug(`network: bridge ${name} ${bridge.subnet}, table ${table}`);
  return bridge;
}

function enableForwarding(journal: Journal): void {
  const path = "/proc/sys/net/ipv4/ip_forward";
  const before = readFileSync(path, "latin1").trim();
  if (before === "1") return;
  journal.record(owner, { kind: "sysctl", path, before });
  step("ip_forward");
  writeFileSync(path, "1");
}

/** Leftovers of another boot or namespace are gone with it; those of this one are undone. */
async function undoAll(root: StateRoot, journal: Journal, old: Bridge | undefined): Promise<void> {
  const { bootId: boot, netns } = here();
  if (old !== undefined && (old.bootId !== boot || old.netns !== netns)) {
    for (const { name, entry } of journal.entries()) if (entry.owner === owner) journal.forget(name);
  } else {
    await journal.undo((who) => who === owner, undoExecutors(networkNames(root).bridge));
  }
  rmSync(bridgeFile(root), { force: true });
  rmSync(`${bridgeFile(root)}.undo`, { force: true });
}

/**
 * The subnet of this state root: TRANSHIP_SUBNET, else the one that its instances already have addresses of, else the
 * first that no route of the host touches.
 */
export function chooseSubnet(root: StateRoot, device: string = networkNames(root).bridge): Subnet {
  const known = routes();
  const file = join(root.path, "network/subnet.json");
  const asked = process.env.TRANSHIP_SUBNET;
  const stored = (readJson(file) as { subnet?: string } | undefined)?.subnet;
  const fixed = asked !== undefined && asked !== "" ? asked : stored;
  if (fixed !== undefined) {
    const subnet = parseSubnet(fixed);
    const other = collision(subnet, known, device);
    if (other !== undefined) {
      throw new TranshipError(
        "E_NETWORK",
        `the subnet ${fixed} collides with ${formatSubnet(other.subnet)} on ${other.device}`,
        { hint: "name a free one with TRANSHIP_SUBNET, for example 10.231.0.0/16, or use --network none" },
      );
    }
    if (fixed !== stored) storeSubnet(file, subnet);
    return subnet;
  }
  for (const candidate of candidates) {
    const subnet = parseSubnet(candidate);
    if (collision(subnet, known, device) !== undefined) continue;
    storeSubnet(file, subnet);
    return subnet;
  }
  throw new TranshipError(
    "E_NETWORK",
    "every subnet that Tranship would take is used by a route of this host",
    {
      hint: "name a free one with TRANSHIP_SUBNET, for example 192.168.231.0/24",
    },
  );
}

function storeSubnet(file: string, subnet: Subnet): void {
  makeDirectory(join(file, ".."));
  writeFileAtomic(file, `${JSON.stringify({ subnet: formatSubnet(subnet) })}\n`, { volatile: true });
}

/**
 * Undoes bridge, table and sysctls when nobody uses them. First the file is set aside, then the users are counted: a
 * starting instance shows itself first and reads the file then, so one of the two always sees the other.
 */
export async function releaseBridge(root: StateRoot, log: Log, inUse: () => boolean): Promise<boolean> {
  const file = bridgeFile(root);
  const aside = `${file}.undo`;
  const present = () => existsSync(file) || existsSync(aside);
  const journalled = () =>
    new Journal(root.journal, log).entries().some(({ entry }) => entry.owner === owner);
  if ((!present() && !journalled()) || inUse()) return false;
  const lock = await lockNetwork(root);
  try {
    if (existsSync(file)) renameSync(file, aside);
    if (inUse()) {
      if (existsSync(aside)) renameSync(aside, file);
      return false;
    }
    step("network undo");
    await undoAll(root, new Journal(root.journal, log), readRecorded(root));
    log.debug("network: bridge, table and sysctls undone with the last instance");
    return true;
  } finally {
    lock.release();
  }
}
