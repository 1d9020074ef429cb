// A terminal or a program beside the console of a detached instance: native/init/console.h has the other side and the form of the frames.
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { TranshipError } from "../base/errors.ts";
import type { StateRoot } from "../host/state-root.ts";
import { launchName, note } from "./events/note.ts";
import { findAny, type Instance } from "./find.ts";
import { notRunning } from "./not-running.ts";
import { isPaused } from "./pause.ts";
import { pause } from "./processes.ts";
import { statusOf } from "./state.ts";

export interface Attached {
  /** What is typed: goes to the program where it has standard input. */
  type(bytes: Uint8Array): void;
  resize(rows: number, columns: number): void;
  /** Goes away; the instance goes on. */
  detach(): void;
  /** The exit status; undefined after detach(), or where the connection was lost: killed with its init, an instance tells none. See endedSince(). */
  readonly ended: Promise<number | undefined>;
  /** The start of the instance that it belongs to, by launchName(). */
  readonly launch: string;
}

export interface AttachOptions {
  output(stream: 1 | 2, bytes: Uint8Array): void;
}

/** O_PATH, which node:fs has no name for: the same on x86-64 and arm64. */
const pathOnly = 0o10000000;
const header = 5;
const mostFrame = 16384;
const types = { input: 0, size: 2, end: 3 } as const;

/** E_INSTANCE_STATE where it does not run, is paused, or belongs to a command in the foreground. */
export async function attachInstance(
  root: StateRoot,
  text: string,
  options: AttachOptions,
): Promise<Attached> {
  const instance = findAny(root, text);
  const launch = checkState(instance);
  const socket = await connect(instance);
  note(root, instance.record, "attach");
  return new Connection(socket, launch, options, () => note(root, instance.record, "detach"));
}

/** Long enough for the end of one that has just been killed to be noted. */
const looks = 250;

/** The status with which that start of the instance ended; 255 where nobody could tell; undefined while it goes on. */
export async function endedSince(
  root: StateRoot,
  { paths, record }: Instance,
  launch: string,
): Promise<number | undefined> {
  for (let look = 0; look < looks; look++) {
    const seen = statusOf(paths, record.id);
    const same = seen.launch !== undefined && launchName(seen.launch) === launch;
    if (same && seen.state === "exited" && seen.settled) return seen.exitStatus ?? 255;
    if (!same) {
      // Removed, or started again by its rule.
      const { historyOf } = await import("./events/history.ts");
      const told = historyOf(root).findLast((run) => run.launch === launch && run.endedAt !== undefined);
      if (told !== undefined) return told.status ?? 255;
    }
    await pause(20);
  }
  return undefined;
}

/** The start that it is of. */
function checkState(instance: Instance): string {
  const { record, paths } = instance;
  const status = statusOf(paths, record.id);
  const refuse = (what: string, hint: string): TranshipError =>
    new TranshipError("E_INSTANCE_STATE", `the instance ${record.name} ${what}`, { hint });
  if (status.state !== "running") throw notRunning(record, status);
  if (isPaused(instance)) throw refuse("is paused", `let it go on with \`tranship unpause ${record.name}\``);
  if (status.launch?.mode === "foreground")
    throw refuse(
      "belongs to the command that runs it",
      `\`tranship logs -f ${record.name}\` shows what it writes`,
    );
  return status.launch === undefined ? "" : launchName(status.launch);
}

/** What lies at the path was put there by the instance, perhaps: it has to be a socket itself, and no link to one elsewhere. */
async function connect({ paths, record }: Instance): Promise<Socket> {
  let fd: number;
  try {
    fd = openSync(`${paths.run}/attach.sock`, pathOnly | constants.O_NOFOLLOW);
  } catch (cause) {
    throw noConsole(record.name, cause);
  }
  try {
    if (!fstatSync(fd).isSocket()) throw noConsole(record.name, undefined);
    const socket = createConnection({ path: `/proc/self/fd/${fd}` });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", (cause) => reject(noConsole(record.name, cause)));
    });
    return socket;
  } finally {
    closeSync(fd);
  }
}

function noConsole(name: string, cause: unknown): TranshipError {
  return new TranshipError("E_INSTANCE_STATE", `the instance ${name} has no console to attach to`, {
    hint: `\`tranship logs -f ${name}\` shows what it writes; \`tranship exec -it ${name} CMD\` gives a terminal inside`,
    cause,
  });
}

class Connection implements Attached {
  readonly ended: Promise<number | undefined>;
  readonly launch: string;
  readonly #socket: Socket;
  readonly #left: () => void;
  #got: Uint8Array = new Uint8Array(0);
  #status: number | undefined;

  constructor(socket: Socket, launch: string, { output }: AttachOptions, left: () => void) {
    this.launch = launch;
    this.#socket = socket;
    this.#left = left;
    socket.on("error", () => {}); // "close" follows
    socket.on("data", (chunk: Uint8Array) => {
      this.#got = this.#got.length === 0 ? chunk : Buffer.concat([this.#got, chunk]);
      this.#take(output);
    });
    this.ended = new Promise((resolve) => socket.on("close", () => resolve(this.#status)));
  }

  type(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += mostFrame)
      this.#send(types.input, bytes.subarray(at, at + mostFrame));
  }

  resize(rows: number, columns: number): void {
    this.#send(types.size, Uint8Array.of(rows & 255, rows >> 8, columns & 255, columns >> 8));
  }

  detach(): void {
    this.#left();
    // What was typed before goes out first.
    this.#socket.destroySoon();
  }

  #send(type: number, payload: Uint8Array): void {
    const frame = Buffer.alloc(header + payload.length);
    frame[0] = type;
    frame.writeUInt32LE(payload.length, 1);
    frame.set(payload, header);
    if (!this.#socket.destroyed) this.#socket.write(frame);
  }

  #take(output: AttachOptions["output"]): void {
    let at = 0;
    for (;;) {
      const left = Buffer.from(this.#got.buffer, this.#got.byteOffset + at, this.#got.byteLength - at);
      if (left.length < header) break;
      const size = left.readUInt32LE(1);
      // None of init's: whatever answers there is not to be listened to.
      if (size > 1 << 20) {
        this.#socket.destroy();
        break;
      }
      if (left.length < header + size) break;
      const payload = left.subarray(header, header + size);
      const type = left[0];
      if (type === 1 || type === 2) output(type, payload);
      else if (type === types.end && size === 4) this.#status = payload.readInt32LE(0) & 255;
      at += header + size;
    }
    this.#got = this.#got.subarray(at);
  }
}
