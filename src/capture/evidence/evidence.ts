// Evidence: what was seen while the application ran, path by path. Append-only; judgement comes later, in make-plan.ts.
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { PathOperation } from "../../formats/trace-records.ts";

/** What a snapshot of a running program shows of a path, as against what is seen to happen to it. */
export const snapshotUses = [
  "mapped",
  "open",
  "directory",
  "argument",
  "variable",
  "built-in",
  "log",
] as const;

/** The operations of trace records (docs/internals/records.md, section 2), starting a program, and what a snapshot shows. */
export type Use = PathOperation | "exec" | (typeof snapshotUses)[number];

/** Sorted, the empty name (it had gone) only where there is no other. The lists are shared: never to be changed. */
export type Programs = readonly ByteString[];

export interface PathEvidence {
  /** What was done to it, with the programs that did it. */
  uses: Map<Use, Programs>;
  /** Something succeeded on it. False: it was only ever found absent. */
  found: boolean;
  /** It did not exist before the run: made by the application itself. */
  madeByRun: boolean;
  /** A lookup of it ended with "no such file". */
  absent: boolean;
  /** A file or directory was opened or executed through it: what both witnesses can see. */
  opened: boolean;
  /** Which witnesses saw it: the tracer what programs asked for, the file witness what the kernel opened. */
  traced: boolean;
  witnessed: boolean;
}

export interface Listener {
  family: "inet" | "inet6";
  address: string;
  port: number;
  protocol: "tcp" | "udp";
}

export interface TracedProgram {
  path: ByteString;
  /** The command line of its first start. */
  argv: ByteString[];
  count: number;
}

export interface Evidence {
  paths: Map<ByteString, PathEvidence>;
  programs: Map<ByteString, TracedProgram>;
  listeners: Listener[];
  /** Listening sockets of the file system, and abstract ones (a NUL in front), with whether somebody connected. */
  sockets: Map<ByteString, boolean>;
  /** Signals by which daemons are told to read their configuration anew, by process as the tracer sees it. */
  signals: Map<number, Set<number>>;
  /** Those that reached a service, by its name. */
  reloads: Map<string, ReadonlySet<number>>;
  /** TCP ports to which a connection was seen: asked for by a watched program, or in the tables of the kernel. */
  connected: Set<number>;
  /** What could not be seen. Any entry makes the capture incomplete. */
  lost: string[];
  /** Names of system calls, where all were told. */
  calls: Set<string>;
  /** What a person should know of the run: a refused ptrace, a part of it that only one witness could see. */
  warnings: string[];
  /** Programs that use io_uring: the tracer does not see what they open by it. */
  ioUring: string[];
  /** undefined where the file witness did not watch, or its evidence is not joined yet. */
  agreement: Agreement | undefined;
  records: number;
}

/** What the two witnesses saw of files and directories that were opened or executed. Canonical paths, sorted. */
export interface Agreement {
  both: number;
  tracerOnly: ByteString[];
  witnessOnly: ByteString[];
}

export function agreementText({ both, tracerOnly, witnessOnly }: Agreement) {
  return { both, tracerOnly: tracerOnly.map(escapeBytes), witnessOnly: witnessOnly.map(escapeBytes) };
}

export function newEvidence(): Evidence {
  return {
    paths: new Map(),
    programs: new Map(),
    listeners: [],
    sockets: new Map(),
    signals: new Map(),
    reloads: new Map(),
    connected: new Set(),
    lost: [],
    calls: new Set(),
    warnings: [],
    ioUring: [],
    agreement: undefined,
    records: 0,
  };
}

export function noteUse(evidence: Evidence, path: ByteString, use: Use, by: ByteString): PathEvidence {
  let known = evidence.paths.get(path);
  if (known === undefined) {
    known = {
      uses: new Map(),
      found: false,
      madeByRun: false,
      absent: false,
      opened: false,
      traced: true,
      witnessed: false,
    };
    evidence.paths.set(path, known);
  }
  addUse(known.uses, use, by);
  return known;
}

/** Of more programs that do the same to one path the others are not told. */
const mostPrograms = 16;
/** Every list that there is, by the names in it: a hundred thousand paths have a handful of them. */
const lists = new Map<string, Programs>();

export function addUse(uses: Map<Use, Programs>, use: Use, by: ByteString): void {
  const known = uses.get(use);
  if (known === undefined) {
    uses.set(use, programList([by]));
    return;
  }
  if (known.includes(by) || (by === "" && known.length > 0)) return;
  const named = known.filter((one) => one !== "");
  if (named.length < mostPrograms) uses.set(use, programList([...named, by]));
}

function programList(names: ByteString[]): Programs {
  names.sort();
  const key = names.join("\0");
  let list = lists.get(key);
  if (list === undefined) {
    list = names;
    lists.set(key, list);
  }
  return list;
}

/** Uses that change a path. */
export const writingUses: readonly Use[] = [
  "write",
  "create",
  "unlink",
  "rename",
  "link",
  "symlink",
  "mkdir",
  "rmdir",
  "mknod",
  "metadata",
  "truncate",
];
