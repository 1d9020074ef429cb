// Evidence: what was seen while the application ran, path by path. Append-only; judgement comes later, in make-plan.ts.
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import type { PathOperation } from "../formats/trace-records.ts";

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

export interface PathEvidence {
  /** What was done to it, each once, with the program that did it first. */
  uses: Map<Use, ByteString>;
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
  if (!known.uses.has(use)) known.uses.set(use, by);
  return known;
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
