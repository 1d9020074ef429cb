// Records of the file witness -> which paths were used, so far as they are the application's doing.
// The witness sees every process of the sandbox. Those that descend from the tracer are the application; an exercise that joined
// is not. Of a process that had gone when the witness asked, only the tracer can tell: it knows all that it traced.
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import {
  type WitnessMount,
  type WitnessRecord,
  type WitnessSeen,
  type WitnessUse,
  witnessUnavailable,
} from "../../formats/witness-records.ts";
import { addUse, type Programs, type Use } from "./evidence.ts";

export interface WitnessEvidence {
  /** Canonical path -> what was done to it, with the programs that did it. */
  paths: Map<ByteString, Map<Use, Programs>>;
  /** What it could not see. Any entry makes the capture incomplete. */
  lost: string[];
  /** Why it saw nothing at all; then all else is empty. */
  unavailable: string | undefined;
}

const useOf: Readonly<Record<WitnessUse, Use>> = { open: "read", exec: "exec", written: "write" };

/** These live only while a system runs, or are ours. */
const notOfTheSource = /^\/(proc|sys|dev|\.tranship)(\/|$)/;

/** What the kernel calls a file that was opened without a name (O_TMPFILE). */
const nameless = /\/#\d+$/;

/** What the tracer knows of processes, when it has seen all. */
export interface TracedProcesses {
  /** The program that a process ran last; undefined: it was not traced. */
  programOf(pid: number): ByteString | undefined;
  /** What our own programs used, and the processes that they started. */
  readonly ownPaths: ReadonlySet<ByteString>;
  readonly ownChildren: ReadonlySet<number>;
}

/** ENOENT: it was unmounted again before it could be marked. */
const gone = 2;

export class WitnessReducer {
  readonly #evidence: WitnessEvidence = {
    paths: new Map(),
    lost: [],
    unavailable: undefined,
  };
  readonly #pids = new Map<ByteString, Set<number>>();
  readonly #undecided: WitnessSeen[] = [];
  readonly #ours: (program: ByteString) => boolean;

  /** ours: programs that we put there; what they do themselves is no evidence. */
  constructor(ours: (program: ByteString) => boolean) {
    this.#ours = ours;
  }

  add(record: WitnessRecord): void {
    if (record.type === "seen") {
      if (record.outside || notOfTheSource.test(record.path)) return;
      if (record.deleted && nameless.test(record.path)) return;
      if (record.gone || record.program === "") this.#undecided.push(record);
      else this.#note(record, record.program);
    } else if (record.type === "lost") {
      const text = escapeBytes(record.text);
      if (record.reason === witnessUnavailable) this.#evidence.unavailable = text;
      else this.#evidence.lost.push(`the file witness: ${text}`);
    } else if (record.type === "mount") this.#mount(record);
  }

  /** exercised: processes that were not traced may have been the exercise's. */
  finish(traced: TracedProcesses, exercised: boolean): WitnessEvidence {
    for (const record of this.#undecided) {
      const program = traced.programOf(record.pid);
      if (record.gone && program === undefined && exercised) continue;
      this.#note(record, record.program === "" ? (program ?? "") : record.program);
    }
    this.#undecided.length = 0;
    // Init's child opens the list of users and then executes the application: asked a moment later it is the application.
    for (const path of traced.ownPaths) {
      const pids = this.#pids.get(path);
      if (pids !== undefined && [...pids].every((pid) => traced.ownChildren.has(pid)))
        this.#evidence.paths.delete(path);
    }
    return this.#evidence;
  }

  #note(record: WitnessSeen, program: ByteString): void {
    const use = record.directory && record.use === "open" ? "list" : useOf[record.use];
    // Init starts the application's programs: that they were executed is the application's affair.
    if (use !== "exec" && this.#ours(program)) return;
    const pids = this.#pids.get(record.path);
    if (pids === undefined) this.#pids.set(record.path, new Set([record.pid]));
    else pids.add(record.pid);
    let uses = this.#evidence.paths.get(record.path);
    if (uses === undefined) {
      uses = new Map();
      this.#evidence.paths.set(record.path, uses);
    }
    addUse(uses, use, program);
  }

  #mount({ target, fstype, errno }: WitnessMount): void {
    if (errno === 0 || errno === gone) return;
    this.#evidence.lost.push(
      `the file witness: the mount at ${escapeBytes(target)} (${escapeBytes(fstype)}) cannot be watched: errno ${errno}`,
    );
  }
}
