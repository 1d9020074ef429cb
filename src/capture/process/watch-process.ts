// A running program is watched for a while by the file witness (native/witness): which files it and its children use meanwhile.
// It is neither stopped nor slowed by that.
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { TranshipError } from "../../base/errors.ts";
import { formatDuration } from "../../base/units.ts";
import { stillRuns } from "../../discover/process-snapshot.ts";
import type { RunningProgram } from "../../discover/running-program.ts";
import { Source } from "../../discover/source.ts";
import { escapeBytes } from "../../formats/escape.ts";
import {
  WitnessDecoder,
  type WitnessRecord,
  type WitnessSeen,
  witnessUnavailable,
} from "../../formats/witness-records.ts";
import { nativePath } from "../../host/native.ts";
import { spawnError, statusOf } from "../../host/process.ts";
import { step } from "../../host/steps.ts";
import type { Machine } from "../../machine/machine.ts";
import { noteUse } from "../evidence/evidence.ts";
import type { ProcessView } from "./process-view.ts";
import { isLog, noteLog, type SnapshotEvidence } from "./snapshot-evidence.ts";

export interface Watch {
  /** From here on nothing is missed; false where this host cannot watch. */
  ready: Promise<boolean>;
  /** Adds what was seen, when the time has passed; tells what a person should know. E_PROCESS_NOT_FOUND where the program ended. */
  finish(snapshot: SnapshotEvidence): Promise<string[]>;
  stop(): Promise<void>;
}

/** Processes whose end is told by their number on the command line of the witness. */
const maxNamed = 500;
/** Status of the witness where the kernel does not let it watch. */
const notAllowed = 124;

export interface WatchRequest {
  machine: Machine;
  program: RunningProgram;
  view: ProcessView;
  /** Milliseconds, above 0. */
  time: number;
  signal: AbortSignal;
}

export function watchProgram(request: WatchRequest): Watch {
  const { program, time, signal } = request;
  step("watch the process");
  const child = spawn(nativePath("witness"), witnessArguments(program, time), {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    cwd: "/",
    env: {},
  });
  const watching = new Watching(request, child);
  const onAbort = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", onAbort, { once: true });
  const ended = watching.ended.finally(() => signal.removeEventListener("abort", onAbort));
  ended.catch(() => {}); // awaited in finish()
  return {
    ready: watching.ready,
    finish: async (snapshot) => await watching.finish(snapshot, ended),
    stop: async () => {
      child.kill("SIGKILL");
      await ended.catch(() => {});
    },
  };
}

function witnessArguments({ main, processes }: RunningProgram, time: number): string[] {
  const pids = processes.slice(0, maxNamed).flatMap(({ pid }) => ["--pid", String(pid)]);
  const group =
    main.service === "" || main.cgroup === "/"
      ? []
      : ["--cgroup", Buffer.from(main.cgroup, "latin1").toString()];
  const root =
    main.root === "/" || main.root === "" ? [] : ["--root", Buffer.from(main.root, "latin1").toString()];
  return ["--fd", "3", ...pids, ...group, ...root, "--for", String(Math.round(time))];
}

class Watching {
  readonly ready: Promise<boolean>;
  readonly ended: Promise<number>;
  readonly #request: WatchRequest;
  readonly #decoder = new WitnessDecoder();
  readonly #seen: WitnessSeen[] = [];
  readonly #lost: string[] = [];
  readonly #collected: Promise<void>;
  #unavailable: string | undefined;
  #unsure = 0;
  #words = "";
  #isReady: (ready: boolean) => void = () => {};

  constructor(request: WatchRequest, child: ChildProcess) {
    this.#request = request;
    this.ready = new Promise((resolve) => {
      this.#isReady = resolve;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (this.#words.length < 4096) this.#words += text;
    });
    this.#collected = this.#collect((child.stdio as readonly unknown[])[3] as Readable);
    this.#collected.catch(() => child.kill("SIGKILL"));
    this.ended = new Promise((resolve, reject) => {
      child.once("error", (cause: NodeJS.ErrnoException) => reject(spawnError("witness", cause)));
      child.once("close", (code, signal) => resolve(statusOf(code, signal)));
    });
    this.ended.catch(() => {}).finally(() => this.#isReady(false));
  }

  async finish(snapshot: SnapshotEvidence, ended: Promise<number>): Promise<string[]> {
    const { machine, program, signal, time } = this.#request;
    const over = { value: false };
    void ended
      .catch(() => {})
      .finally(() => {
        over.value = true;
      });
    // A program that ends takes its snapshot with it: that is told at once, not when the time has passed.
    while (!over.value && !signal.aborted) {
      await Promise.race([ended.catch(() => {}), sleep(250, undefined, { ref: false })]);
      if (!(await stillRuns(new Source(machine.files), program.main)))
        throw endedWhileWatched(machine, program, time);
    }
    const status = await ended;
    if (signal.aborted) throw new TranshipError("E_INTERRUPTED", "the capture was stopped");
    await this.#collected;
    this.#check(status);
    for (const one of this.#seen) this.#note(snapshot, one);
    return this.#told();
  }

  async #collect(stream: Readable): Promise<void> {
    for await (const chunk of stream as AsyncIterable<Uint8Array>)
      for (const record of this.#decoder.feed(chunk)) this.#add(record);
  }

  #add(record: WitnessRecord): void {
    if (record.type === "ready") this.#isReady(true);
    else if (record.type === "lost") {
      if (record.reason === witnessUnavailable) this.#unavailable = escapeBytes(record.text);
      else this.#lost.push(escapeBytes(record.text));
    } else if (record.type === "seen" && !record.deleted) {
      // In mounts that others share it may have been anybody's.
      if (record.gone && !this.#request.view.own) this.#unsure++;
      else this.#seen.push(record);
    }
  }

  #check(status: number): void {
    if (status === notAllowed) this.#unavailable ??= this.#words.trim();
    if (this.#unavailable !== undefined) return;
    if (status !== 0 || !this.#decoder.ended)
      throw new TranshipError(
        "E_CAPTURE_INCOMPLETE",
        `the file witness ended with status ${status}: ${this.#words.trim()}`,
        {
          hint: "capture again; --for 0s makes do with the snapshot alone",
        },
      );
    if (this.#lost.length > 0)
      throw new TranshipError(
        "E_CAPTURE_INCOMPLETE",
        `the file witness lost sight of something: ${this.#lost.slice(0, 3).join("; ")}`,
        {
          hint: "capture again; --for 0s makes do with the snapshot alone",
        },
      );
  }

  #note(snapshot: SnapshotEvidence, seen: WitnessSeen): void {
    const { path } = seen;
    const { evidence } = snapshot;
    if (/^\/(proc|sys|dev)(\/|$)/.test(path)) return;
    const program = this.#request.view.inside(seen.program) ?? seen.program;
    const written = seen.use === "written";
    if (written && isLog(path, { reads: false, writes: true, append: true })) {
      noteLog(snapshot, path, program);
      return;
    }
    const known = noteUse(
      evidence,
      path,
      written ? "write" : seen.use === "exec" ? "exec" : seen.directory ? "list" : "read",
      program,
    );
    known.found = true;
    known.opened = true;
    known.witnessed = true;
    known.traced = false;
  }

  #told(): string[] {
    if (this.#unavailable !== undefined) return [`without the file witness: ${this.#unavailable}`];
    if (this.#unsure === 0) return [];
    return [
      `${this.#unsure} uses of files by processes that had ended before they could be asked were left out: they may have been anybody's`,
    ];
  }
}

function endedWhileWatched(machine: Machine, { main }: RunningProgram, time: number): TranshipError {
  return new TranshipError(
    "E_PROCESS_NOT_FOUND",
    `process ${main.pid} (${escapeBytes(main.name)}) of ${machine.address} ended while it was watched for ${formatDuration(time)}`,
    { hint: "capture its successor; --for 0s takes the snapshot alone" },
  );
}
