// Which ids of this host an instance is lent for a user namespace of its own. Its files keep theirs on the disk (idmapped mounts), so that a range means nothing after its end.
import { TranshipError } from "../../base/errors.ts";
import { parseGroup, parsePasswd } from "../../formats/passwd.ts";
import { readText } from "../../host/files.ts";
import { rootlessUser } from "../../host/rootless-user.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { readLayerFile } from "../layers.ts";
import { claim, free, leases } from "../network/lease.ts";
import type { InstanceRecord } from "../record.ts";
import { type IdRange, overlaps, type UsernsRequest } from "./request.ts";

/** Fewer, and users of old systems are not there. */
const block = 65_536;
/** A package whose users have larger ids is asked about. */
const mostBlocks = 16;
/** What systemd sets aside for containers, where /etc/subuid has nothing for us. */
const setAside: IdRange = { first: 0x0008_0000, count: 0x6fff_0000 - 0x0008_0000 };

export interface LentIds extends IdRange {
  /** Found by us: nobody else is lent it. */
  readonly own: boolean;
}

/** The range of an instance that is being made; undefined: none. Freed by freeIds(), or by the next command where nobody has come to that. */
export function lendIds(
  root: StateRoot,
  id: string,
  request: UsernsRequest | undefined,
  layers: readonly string[],
): LentIds | undefined {
  if (request === undefined || request.kind === "host") return undefined;
  if (rootlessUser() !== undefined) {
    throw new TranshipError("E_USAGE", "--userns is for instances of root", {
      hint: "an ordinary user's instances are in a user namespace of theirs already: leave it out",
    });
  }
  if (request.kind === "range") {
    const lent = { ...request.range, own: false };
    claim(root, "ids", leaseName(lent, id), id);
    return lent;
  }
  const count = request.count ?? countFor(layers);
  const source = rangeForUs(count);
  const taken = [...takenHere(), ...leasedIds(root)];
  const steps = Math.floor(source.count / count);
  // Other state roots know nothing of our leases: where each begins is left to chance.
  const start = Number.parseInt(id.slice(0, 8), 16) % steps;
  for (let step = 0; step < Math.min(steps, 100_000); step++) {
    const lent = { first: source.first + ((start + step) % steps) * count, count, own: true };
    const others = source.named ? leasedIds(root) : taken;
    if (others.some((one) => overlaps(one, lent)) || !claim(root, "ids", leaseName(lent, id), id)) continue;
    return lent;
  }
  throw new TranshipError("E_USERNS", `no ${count} ids are free from ${source.first} on`, {
    hint: "remove instances, give /etc/subuid and /etc/subgid a larger range for tranship, or name one: --userns FIRST:COUNT",
  });
}

export function freeIds(root: StateRoot, { id, userns }: Pick<InstanceRecord, "id" | "userns">): void {
  if (userns !== undefined) free(root, "ids", leaseName(userns, id), id);
}

/** Several may be given the same range by hand, each with its lease: auto goes round them. */
function leaseName({ first, count, own }: LentIds, id: string): string {
  return own ? `${first}-${count}` : `${first}-${count}-${id.slice(0, 16)}`;
}

function leasedIds(root: StateRoot): IdRange[] {
  return leases(root, "ids").flatMap(({ name }) => {
    const [, first, count] = /^(\d+)-(\d+)/.exec(name) ?? [];
    return first === undefined ? [] : [{ first: Number(first), count: Number(count) }];
  });
}

/** So many that every user and group of the package is one of them. */
function countFor(layers: readonly string[]): number {
  const text = (path: string): string => readLayerFile(layers, path)?.toString("latin1") ?? "";
  const users = parsePasswd(text("etc/passwd")).entries.flatMap(({ uid, gid }) => [uid, gid]);
  const groups = parseGroup(text("etc/group")).entries.map(({ gid }) => gid);
  // The last ones of 32 bits are nobody's.
  const highest = Math.max(0, ...[...users, ...groups].filter((one) => one < 0xffff_fff0));
  const blocks = Math.ceil((highest + 1) / block);
  if (blocks <= mostBlocks) return blocks * block;
  throw new TranshipError("E_USERNS", `the package has a user or group with the id ${highest}`, {
    hint: `say how many ids there are to be: --userns auto:size=${highest + 1}, or auto:size=${block} and leave those out`,
  });
}

/** As podman: what /etc/subuid and /etc/subgid have for us, or for containers as such. */
function rangeForUs(count: number): IdRange & { named: boolean } {
  for (const name of ["tranship", "containers"]) {
    const [users, groups] = ["/etc/subuid", "/etc/subgid"].map((file) => rangesIn(file, name));
    for (const one of users ?? []) {
      const both = (groups ?? []).find((other) => other.first === one.first && other.count === one.count);
      // 0 is root of this host.
      if (both !== undefined && one.first > 0 && one.count >= count) return { ...one, named: true };
    }
  }
  return { ...setAside, named: false };
}

function rangesIn(file: string, name?: string): IdRange[] {
  return (readText(file) ?? "").split("\n").flatMap((line) => {
    const [, owner, first, count] = /^([^:#]+):(\d+):(\d+)\s*$/.exec(line) ?? [];
    if (first === undefined || (name !== undefined && owner !== name)) return [];
    return [{ first: Number(first), count: Number(count) }];
  });
}

/** Ids of this host that mean somebody. */
function takenHere(): IdRange[] {
  const users = parsePasswd(readText("/etc/passwd") ?? "").entries.map(({ uid }) => uid);
  const groups = parseGroup(readText("/etc/group") ?? "").entries.map(({ gid }) => gid);
  return [
    ...rangesIn("/etc/subuid"),
    ...rangesIn("/etc/subgid"),
    ...[...users, ...groups].map((first) => ({ first, count: 1 })),
  ];
}
