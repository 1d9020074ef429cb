// Trace records -> evidence. The records are the facts in order; here each becomes "this path was used so by that program".

import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { callName } from "../../formats/syscall-numbers.ts";
import {
  lostIncomplete,
  resultNotAsked,
  type TraceBind,
  type TraceExec,
  type TraceFork,
  type TraceLost,
  type TracePath,
  type TraceRecord,
  type TraceSignal,
} from "../../formats/trace-records.ts";
import { type Evidence, newEvidence, noteUse } from "./evidence.ts";
import { MovedPaths } from "./moved-paths.ts";

/** Operations by which a path comes into being. */
const making = new Set(["create", "mkdir", "symlink", "link", "mknod", "rename"]);

/** ENOENT, and ENOTDIR where a file is in the place of a directory on the way. */
const noSuchFile: ReadonlySet<number> = new Set([-2, -20]);

/** Operations that open a file or a directory. */
const opening = new Set(["read", "write", "create", "list"]);

/** LOST reason: files opened through io_uring are not seen. What it means depends on whether another witness saw them. */
const ioUring = 3;

/** AF_UNIX. */
const unixFamily = 1;

/** Feed records in order; `evidence` is complete when the trace has ended. */
export class Reducer {
  readonly evidence: Evidence = newEvidence();
  /** Program of each process, by pid as the tracer sees it. */
  readonly #programs = new Map<number, ByteString>();
  /** What our own programs used, and the processes that they started. */
  readonly ownPaths = new Set<ByteString>();
  readonly ownChildren = new Set<number>();
  /** Sockets to which a program connected, whoever listens there. */
  readonly #asked = new Set<ByteString>();
  readonly #moved = new MovedPaths();
  readonly #ours: (program: ByteString) => boolean;

  /** ours: programs that we put there; what they do themselves is no evidence. */
  constructor(ours: (program: ByteString) => boolean) {
    this.#ours = ours;
  }

  /** The program that a process of the trace ran last; undefined: the process was never traced. */
  programOf(pid: number): ByteString | undefined {
    return this.#programs.get(pid);
  }

  add(record: TraceRecord): void {
    this.evidence.records++;
    if (record.type === "fork") this.#fork(record);
    else if (record.type === "exec") this.#exec(record);
    else if (record.type === "path") this.#path(record);
    else if (record.type === "bind") this.#bind(record);
    else if (record.type === "lost") this.#lost(record);
    else if (record.type === "signal") this.#signal(record);
    else if (record.type === "call") this.evidence.calls.add(callName(record.abi, record.number));
  }

  #fork({ pid, child }: TraceFork): void {
    const by = this.#programs.get(pid) ?? "";
    this.#programs.set(child, by);
    if (this.#ours(by)) this.ownChildren.add(child);
  }

  #lost(record: TraceLost): void {
    const { warnings, lost, ioUring: uring } = this.evidence;
    const words = `${escapeBytes(this.#programs.get(record.pid) ?? "")}: ${record.text}`;
    const list = record.reason === ioUring ? uring : record.reason < lostIncomplete ? warnings : lost;
    if (!list.includes(words)) list.push(words);
  }

  #exec(record: TraceExec): void {
    const by = this.#programs.get(record.pid) ?? "";
    if (record.result < 0) {
      if (this.#ours(by)) return;
      const seen = noteUse(this.evidence, record.path, "exec", by);
      if (noSuchFile.has(record.result)) seen.absent = true;
      return;
    }
    const program = record.executable === "" ? record.path : record.executable;
    this.#programs.set(record.pid, program);
    if (this.#ours(program)) return;
    for (const path of new Set([record.path, program])) {
      const seen = noteUse(this.evidence, path, "exec", by);
      seen.found = true;
      seen.opened = true;
    }
    const known = this.evidence.programs.get(program);
    if (known === undefined)
      this.evidence.programs.set(program, { path: program, argv: [...record.args], count: 1 });
    else known.count++;
  }

  #path(record: TracePath): void {
    const by = this.#programs.get(record.pid) ?? "";
    if (this.#ours(by)) this.ownPaths.add(record.path);
    if (this.#ours(by) || record.foreign) return;
    // A call whose end was not seen may have succeeded: the source tells later whether the path exists.
    const failed = record.result < 0 && record.result !== resultNotAsked;
    const made = making.has(record.operation);
    const target = record.operation === "rename" || record.operation === "link" ? record.second : "";
    const seen = noteUse(this.evidence, record.path, record.operation, by);
    // What was there once and was removed by the run is made anew, and still the source's.
    const before = seen.found;
    // A failed attempt at what is there (EACCES, EEXIST, ENOTDIR of a longer path) still shows that it is there.
    if (!failed || record.existed) seen.found = true;
    else if (noSuchFile.has(record.result)) seen.absent = true;
    if (record.result >= 0 && !record.inherited && opening.has(record.operation)) seen.opened = true;
    if (made && target === "" && !failed && !record.existed && !before) seen.madeByRun = true;
    if (!failed && !seen.madeByRun) this.#atOrigin(record, by);
    if (target === "") return;
    if (record.operation === "rename" && !failed) this.#moved.moved(record.path, target, !seen.madeByRun);
    const to = noteUse(this.evidence, target, record.operation, by);
    if (!failed && !record.existed && !to.found) to.madeByRun = true;
    if (!failed) to.found = true;
  }

  /** What was used below a directory that the run had renamed is on the source below its old name. */
  #atOrigin(record: TracePath, by: ByteString): void {
    const origin = this.#moved.originOf(record.path);
    if (origin !== undefined) noteUse(this.evidence, origin, record.operation, by).found = true;
  }

  #signal({ pid, signal }: TraceSignal): void {
    const known = this.evidence.signals.get(pid);
    if (known === undefined) this.evidence.signals.set(pid, new Set([signal]));
    else known.add(signal);
  }

  /** Init opens sockets for its services and listens at them as well; those count like the application's own. */
  #bindUnix({ kind, address, result }: TraceBind): void {
    const { sockets } = this.evidence;
    if (address === "" || result < 0) return;
    if (kind === "listen" && !address.startsWith("/.tranship/"))
      sockets.set(address, sockets.get(address) ?? false);
    if (kind === "connect") this.#asked.add(address);
    if (sockets.has(address)) sockets.set(address, sockets.get(address) === true || this.#asked.has(address));
  }

  #bind(record: TraceBind): void {
    if (record.family === unixFamily) this.#bindUnix(record);
    // A connection that does not wait for its answer is on its way: EINPROGRESS.
    const asked = record.kind === "connect" && (record.result >= 0 || record.result === -115);
    if (asked && record.port > 0) this.evidence.connected.add(record.port);
    if (record.kind !== "listen" || record.result < 0 || record.port === 0) return;
    const family = record.family === 10 ? "inet6" : "inet";
    const address = addressText(record.address, family);
    const known = this.evidence.listeners.some((one) => one.port === record.port && one.address === address);
    if (!known) this.evidence.listeners.push({ family, address, port: record.port, protocol: "tcp" });
  }
}

function addressText(bytes: ByteString, family: "inet" | "inet6"): string {
  const at = (index: number): number => bytes.charCodeAt(index) || 0;
  if (family === "inet") return [0, 1, 2, 3].map(at).join(".");
  const words = Array.from({ length: 8 }, (_, index) =>
    ((at(index * 2) << 8) | at(index * 2 + 1)).toString(16),
  );
  return words
    .join(":")
    .replace(/\b0(:0)+\b/, ":")
    .replace(/^::?$/, "::")
    .replace(/:{3,}/, "::");
}

/** Loopback only: such a port is the application's own affair and not one that it serves. */
export function isLoopback(address: string): boolean {
  return (
    address.startsWith("127.") || address === "::1" || (address.endsWith(":1") && address.startsWith("::"))
  );
}
