// The content of a plan's files comes from a far machine before anything is packed: what changes meanwhile is found out while nothing
// has been made of it. A data base that writes is the usual reason; its files are worth nothing one by one.
import { TranshipError } from "../../base/errors.ts";
import type { Progress } from "../../base/log.ts";
import { formatSize } from "../../base/units.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Fetched, Machine } from "../../machine/machine.ts";
import { sameFile } from "../../machine/resuming-files.ts";
import { statEach } from "../../machine/stat-all.ts";
import { orInterrupted } from "../interrupt.ts";

export interface FetchRequest {
  progress: Progress;
  signal: AbortSignal;
}

/** Nothing where the machine's files are on this host. E_SOURCE_CHANGED, E_IO name the files. */
export async function fetchPlanned(
  machine: Machine,
  entries: ReadonlyMap<ByteString, Entry>,
  request: FetchRequest,
): Promise<void> {
  const { content } = machine;
  if (content === undefined) return;
  const files: Entry[] = [];
  for (const entry of entries.values()) if (entry.kind === "file") files.push(entry);
  const fetched = await fetchTold(machine, files, request);
  refuseUnreadable(machine, fetched);
  if (fetched.changed.length > 0) throw changedWhileRead(machine, fetched.changed);
  // Each file is whole by itself now. Whether they fit together shows a second look at all of them.
  const changed: ByteString[] = [];
  const paths = files.map((entry) => entry.path);
  await orInterrupted(request.signal, () =>
    statEach(machine.files, paths, (path, now) => {
      const entry = entries.get(path);
      if (entry !== undefined && !sameFile(now, entry)) changed.push(path);
    }),
  );
  if (changed.length > 0) throw changedWhileRead(machine, changed.sort());
}

/** Fetches with a progress line that says how much crossed the wire. */
export async function fetchTold(
  machine: Machine,
  files: readonly Entry[],
  request: FetchRequest,
): Promise<Fetched> {
  const { content } = machine;
  if (content === undefined) throw new TranshipError("E_INTERNAL", `${machine.address} has its content here`);
  const total = files.reduce((sum, entry) => sum + entry.size, 0);
  const task = request.progress.begin(`reading ${machine.address}`, total);
  const fetched = await content.fetch(files, {
    onProgress: (bytes, path) => task.advance(bytes, path),
    signal: request.signal,
  });
  task.end(`${formatSize(fetched.moved)} read, ${formatSize(fetched.kept)} were here already`);
  return fetched;
}

function refuseUnreadable(machine: Machine, { unreadable }: Fetched): void {
  if (unreadable.length === 0) return;
  const some = unreadable
    .slice(0, 5)
    .map(({ path, error }) => `${escapeBytes(path)} (${error})`)
    .join(", ");
  throw new TranshipError(
    "E_IO",
    `${unreadable.length} planned files of ${machine.address} cannot be read: ${some}`,
    {
      hint: "read the machine as root (ssh://root@..., or --sudo), or leave them out with --exclude",
      details: { unreadable: unreadable.slice(0, 1000).map(({ path }) => escapeBytes(path)) },
    },
  );
}

export function changedWhileRead(machine: Machine, changed: readonly ByteString[]): TranshipError {
  const some = changed.slice(0, 5).map(escapeBytes).join(", ");
  return new TranshipError(
    "E_SOURCE_CHANGED",
    `${changed.length} files of ${machine.address} changed while they were read, so they do not fit together: ${some}`,
    {
      hint: "stop what writes there (a data base, for the time of the capture) and run the command again, which reads only what changed; or leave it out with --exclude",
      details: { changed: changed.slice(0, 1000).map(escapeBytes) },
    },
  );
}
