// Names of what is in a state root, for completion. Only looks: a key of the keyboard makes no state root and repairs nothing.
import { errorCodes } from "../../base/errors.ts";
import { SecretStore } from "../../cluster/secret-store.ts";
import { defaultStateRoot, isStateRoot, openStateRoot, type StateRoot } from "../../host/state-root.ts";
import { listImages } from "../../image/list.ts";
import { openStore } from "../../image/store.ts";
import { leaveOut, listInstances } from "../../runtime/find.ts";
import { listNetworks } from "../../runtime/network/list.ts";
import { listVolumes } from "../../runtime/volumes/list.ts";
import type { Candidate, Completion, Kind } from "./complete.ts";

const running: ReadonlySet<string> = new Set(["running", "paused", "starting"]);

function instances(root: StateRoot, fits: (state: string) => boolean): Candidate[] {
  return listInstances(root, leaveOut)
    .filter(({ status }) => fits(status.state))
    .map(({ record, status }) => ({ word: record.name, summary: `${record.image}, ${status.state}` }));
}

function images(root: StateRoot): Candidate[] {
  return listImages(openStore(root)).flatMap(({ repository, tag, created }) => {
    const summary = created ?? "image";
    return tag === "<none>" ? [] : [{ word: `${repository}:${tag}`, summary }];
  });
}

const lookups: Readonly<Partial<Record<Kind, (root: StateRoot) => Candidate[]>>> = {
  instance: (root) => instances(root, () => true),
  running: (root) => instances(root, (state) => running.has(state)),
  stopped: (root) => instances(root, (state) => !running.has(state)),
  image: images,
  network: (root) => listNetworks(root).map(({ name, driver }) => ({ word: name, summary: driver })),
  volume: (root) => listVolumes(root).map(({ name }) => ({ word: name, summary: "volume" })),
  secret: (root) => new SecretStore(root.path).list().map(({ name }) => ({ word: name, summary: "secret" })),
};

const machines: readonly Candidate[] = [
  { word: "local:", summary: "this machine" },
  { word: "rootfs:", summary: "an unpacked or mounted root file system" },
  { word: "ssh://", summary: "[user@]host[:port]" },
  { word: "disk:", summary: "a raw or qcow2 disk, or a tar" },
  { word: "oci:", summary: "an image in the store" },
];

/** What exists of those kinds and begins as typed; nothing where there is no state root, or it cannot be read. */
export function liveNames({ kinds, typed, roots }: Completion): Candidate[] {
  const path = roots.at(-1) ?? defaultStateRoot();
  return kinds.flatMap((kind) => namesOf(kind, path)).filter(({ word }) => word.startsWith(typed));
}

function namesOf(kind: Kind, path: string): readonly Candidate[] {
  if (kind === "machine") return machines;
  if (kind === "code") return Object.entries(errorCodes).map(([word, summary]) => ({ word, summary }));
  const lookup = lookups[kind];
  if (lookup === undefined || !isStateRoot(path)) return [];
  try {
    return lookup(openStateRoot(path));
  } catch {
    return []; // the verb itself tells what is wrong
  }
}
