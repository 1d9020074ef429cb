// Records of an observed instance -> what its programs looked for in vain. Facts only: misses.ts judges.
import type { ByteString } from "../../formats/entry.ts";
import type { TraceExec, TracePath, TraceRecord } from "../../formats/trace-records.ts";
import type { Use } from "./evidence.ts";

/** A path that was asked for and not there, with the first use of it. */
export interface Lookup {
  readonly path: ByteString;
  readonly use: Use;
  /** The program that asked; "" where its start was not seen. */
  readonly by: ByteString;
  /** The instance was tethered and has it from its source. */
  readonly fetched?: boolean;
}

/** ENOENT, and ENOTDIR where a file is in the place of a directory on the way. */
const noSuchFile: ReadonlySet<number> = new Set([-2, -20]);

/** What every instance gets from the host anew: nothing of a package. */
const given = /^\/(\.tranship|proc|sys|dev)(\/|$)/;

/** Paths that are kept; a program that makes up more is not missing them. */
const maxLookups = 200_000;

const init = "/.tranship/init";

/**
 * Feed the records of one start in order. The tracer stands outside of the instance: what the OCI runtime does before init begins, and what
 * its own processes do later, is left out.
 */
export class LookupReducer {
  /** By path, in the order of the first lookup. */
  readonly lookups = new Map<ByteString, Lookup>();
  /** Why not everything is known; empty where it is. */
  readonly gaps = new Set<string>();
  readonly #programs = new Map<number, ByteString>();
  readonly #outside = new Set<number>();
  #begun = false;

  add(record: TraceRecord): void {
    if (record.type === "lost") {
      if (record.reason >= 2) this.gaps.add(record.text);
    } else if (record.type === "exec") this.#exec(record);
    else if (record.type === "fork") {
      const program = this.#programs.get(record.pid);
      if (program !== undefined && !this.#programs.has(record.child))
        this.#programs.set(record.child, program);
      // What comes from the runtime is the runtime's, until init begins.
      if (!this.#begun) return;
      if (this.#outside.has(record.pid)) this.#outside.add(record.child);
      else this.#outside.delete(record.child);
    } else if (record.type === "path") this.#path(record);
    else if (record.type === "exit") {
      // Its number may be given to another.
      this.#programs.delete(record.pid);
      this.#outside.delete(record.pid);
    }
  }

  /** Another start of the instance begins. */
  restart(): void {
    this.#programs.clear();
    this.#outside.clear();
    this.#begun = false;
  }

  #exec({ pid, result, path }: TraceExec): void {
    if (!this.#begun && path === init && result >= 0) {
      this.#begun = true;
      this.#outside.delete(pid);
    } else if (!this.#begun) this.#outside.add(pid);
    if (this.#outside.has(pid)) return;
    if (noSuchFile.has(result)) this.#note(path, "exec", pid);
    else if (result >= 0) this.#programs.set(pid, path);
  }

  #path({ pid, operation, result, path, foreign }: TracePath): void {
    if (!this.#begun) this.#outside.add(pid);
    if (!foreign || this.#outside.has(pid) || !noSuchFile.has(result)) return;
    this.#note(path, operation, pid);
    // What cannot be made is not what is missing: its directory is.
    if (operation === "create" || operation === "mkdir") this.#note(parentOf(path), "list", pid);
  }

  #note(path: ByteString, use: Use, pid: number): void {
    if (!path.startsWith("/") || given.test(path)) return;
    const known = this.lookups.get(path);
    // An open says more than a look before it.
    if (known !== undefined && (known.use !== "stat" || use === "stat")) return;
    if (known === undefined && this.lookups.size >= maxLookups) {
      this.gaps.add(`more than ${maxLookups} paths were looked for: the others are not kept`);
      return;
    }
    this.lookups.set(path, { path, use, by: this.#programs.get(pid) ?? "" });
  }
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}
