// Instances of a network know each other by name: in the hosts file of each. There is no daemon that could answer questions, and a file
// is read by every program that asks its C library, static ones too: docs/decisions/0042-names-in-hosts-files.md
//
// What a file has to say is worked out from the records of all instances and written where it differs, under the lock of the network. So it
// does not matter which command does it, or how often, or what one before it had left out.
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  type Stats,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { type Instance, type ListedInstance, leaveOut, listInstances } from "../find.ts";
import type { Attachment, InstanceRecord } from "../record.ts";
import { attachmentsOf, defaultNetwork, hasNames } from "./attachments.ts";
import { ownNames } from "./files.ts";
import { type NamedAddress, withSection } from "./hosts-section.ts";
import { nameRules } from "./redirected-names.ts";
import { keptNamespace } from "./share.ts";
import { lockNetwork } from "./up.ts";

/** After something has changed on a network that people have made. */
export async function refreshNames(root: StateRoot): Promise<void> {
  if (staleFiles(root).length === 0) return;
  const lock = await lockNetwork(root);
  try {
    for (const { path, text } of staleFiles(root)) {
      step("hosts file");
      rewrite(path, text);
    }
  } finally {
    lock.release();
  }
}

function staleFiles(root: StateRoot): { path: string; text: string }[] {
  const alive = listInstances(root, leaveOut).filter(
    (one) =>
      one.record.network.mode === "bridge" &&
      // The file of one that has ended is that of those who still have its network.
      (isUp(one) || keptNamespace(root, one) !== undefined),
  );
  const named = alive.filter(isUp);
  return alive.flatMap((one) => {
    const path = join(one.paths.files, "hosts");
    const now = read(path);
    if (now === undefined) return [];
    const text = withSection(now, entriesFor(one, named));
    return text === now ? [] : [{ path, text }];
  });
}

function isUp({ status: { state } }: ListedInstance): boolean {
  return state === "running" || state === "starting";
}

/** Itself first, then the others by their age. */
function entriesFor(one: Instance, all: readonly Instance[]): NamedAddress[] {
  if (!hasNames(one.record)) return [];
  const networks = new Set(attachmentsOf(one.record).map(({ network }) => network));
  networks.delete(defaultNetwork);
  const others = all.filter(({ record }) => record.id !== one.record.id).reverse();
  return [one, ...others].flatMap((other) =>
    attachmentsOf(other.record)
      .filter(({ network }) => networks.has(network))
      .flatMap((attachment) => entries(other, attachment, other === one))
      .map((entry) => ({ ...entry, names: [...entry.names, ...ledTo(one.record, entry.names)] })),
  );
}

/** Names that its package redirects to one of these. */
function ledTo(record: InstanceRecord, names: readonly string[]): string[] {
  const known = names.map((name) => name.toLowerCase());
  return nameRules(record).flatMap(({ from, to }) =>
    known.includes(to) && !known.includes(from) ? [from] : [],
  );
}

/** `own`: in its own file its host name goes first, as programs ask which one belongs to their address. */
function entries(
  { record }: Instance,
  { address, address6, aliases }: Attachment,
  own: boolean,
): NamedAddress[] {
  const host = own ? ownNames({ hostname: record.hostname, domain: record.identity?.domain ?? null }) : [];
  const names = [...new Set([...host, record.name, ...aliases, record.id.slice(0, 12)])];
  return [address, address6].flatMap((one) => (one === null ? [] : [{ address: one, names }]));
}

/** Bytes. An instance may write into its own file; what is larger is left to it. */
const longest = 1 << 20;

function openOwn(path: string, flags: number): { fd: number; stat: Stats } | undefined {
  try {
    const fd = openSync(path, flags | constants.O_NOFOLLOW);
    return { fd, stat: fstatSync(fd) };
  } catch {
    return undefined; // it was removed, or has not been made yet
  }
}

function read(path: string): string | undefined {
  const file = openOwn(path, constants.O_RDONLY);
  if (file === undefined) return undefined;
  try {
    if (!file.stat.isFile() || file.stat.size > longest) return undefined;
    const bytes = Buffer.alloc(file.stat.size);
    return bytes.subarray(0, readSync(file.fd, bytes, 0, bytes.length, 0)).toString("latin1");
  } finally {
    closeSync(file.fd);
  }
}

/** In place, as the instance sees this very file: in one piece, and only then shorter, so that no reader finds it empty. */
function rewrite(path: string, text: string): void {
  const file = openOwn(path, constants.O_WRONLY);
  if (file === undefined) return;
  try {
    const bytes = Buffer.from(text, "latin1");
    // What is longer than before appears with its last byte; what is shorter is filled up until it is cut.
    const whole = Buffer.alloc(Math.max(bytes.length, file.stat.size), "\n");
    bytes.copy(whole);
    for (let done = 0; done < whole.length; )
      done += writeSync(file.fd, whole, done, whole.length - done, done);
    ftruncateSync(file.fd, bytes.length);
  } finally {
    closeSync(file.fd);
  }
}
