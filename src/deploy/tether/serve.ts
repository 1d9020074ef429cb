// The process beside a tethered instance: it holds the source, and answers the tracer as long as that lives.
import { chmodSync, readlinkSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { isTranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { EvidenceDocument } from "../../capture/evidence/evidence-document.ts";
import { evidenceOf } from "../../capture/evidence/read-evidence.ts";
import { askMagic, decodeQuestion, encodeAnswer, type Question } from "../../formats/ask-records.ts";
import type { ByteString } from "../../formats/entry.ts";
import { FrameReader } from "../../formats/frames.ts";
import { processAlive } from "../../host/lock.ts";
import type { StateRoot } from "../../host/state-root.ts";
import type { Machine } from "../../machine/machine.ts";
import { TreeFiles } from "../../machine/tree-files.ts";
import type { Instance } from "../../runtime/find.ts";
import { layerDirectories } from "../../runtime/image.ts";
import { hasObject } from "../../runtime/layers.ts";
import { statusOf } from "../../runtime/state.ts";
import { TetherLog } from "../../runtime/tether-log.ts";
import { type AnswerParts, answerTo } from "./answer.ts";
import { Fetcher } from "./fetcher.ts";
import { Placer } from "./placer.ts";
import { TetherSource } from "./source.ts";

export interface TetherRequest {
  readonly root: StateRoot;
  readonly instance: Instance;
  readonly open: () => Promise<Machine>;
  readonly log: Log;
  /** Called when the tracer can connect; with the error where the source cannot be reached. */
  ready(unreachable: Error | undefined): void;
}

/** Until the tracer has gone, or can no longer come. */
export async function serveTether(request: TetherRequest): Promise<void> {
  const { root, instance, log } = request;
  const { record } = instance;
  const source = new TetherSource(record.tether?.machine ?? "", request.open, log);
  const server = createServer();
  try {
    const unreachable = await source.connect();
    const layers = await layerDirectories(root, record.image.diffIds);
    const evidence = evidenceFor(request);
    await listen(server, instance.paths.directory);
    request.ready(unreachable);
    const tracer = await tracerOf(server, instance);
    if (tracer === undefined) return;
    await answerAll(tracer, {
      source,
      evidence,
      packed: (path) => hasObject(layers, path),
      record: new TetherLog(instance.paths.tethered),
      log,
    });
  } finally {
    server.close();
    rmSync(instance.paths.tetherSocket, { force: true });
    await source.close();
  }
}

function evidenceFor({ root, instance, log }: TetherRequest): EvidenceDocument | undefined {
  const { image } = instance.record;
  try {
    return evidenceOf(root, image.digest);
  } catch (error) {
    if (!isTranshipError(error, "E_IMAGE_NOT_FOUND") && !isTranshipError(error, "E_IMAGE_UNSUPPORTED"))
      throw error;
    log.warn(`tether: no evidence for ${image.reference}: what its capture left out on purpose is not known`);
    return undefined;
  }
}

/** The address of a socket is shorter than paths may be: named from its directory. */
async function listen(server: Server, directory: string): Promise<void> {
  rmSync(`${directory}/tether.sock`, { force: true });
  process.chdir(directory);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen("tether.sock", resolve);
  });
  chmodSync("tether.sock", 0o600);
  process.chdir("/");
}

/** Milliseconds between looks whether the start that it belongs to is still under way. */
const lookEvery = 500;

/** The one tracer that comes; undefined where its start has ended without. */
function tracerOf(server: Server, { paths, record }: Instance): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const look = setInterval(() => {
      const { launch, state } = statusOf(paths, record.id);
      const { starter } = launch ?? {};
      if (state !== "exited" && starter !== undefined && processAlive(starter.pid, starter.startTime)) return;
      clearInterval(look);
      resolve(undefined);
    }, lookEvery);
    server.once("connection", (socket) => {
      clearInterval(look);
      server.close();
      resolve(socket);
    });
  });
}

type Parts = Omit<ConstructorParameters<typeof Fetcher>[0], "placer">;

async function answerAll(tracer: Socket, parts: Parts): Promise<void> {
  const reader = new FrameReader(askMagic);
  let answering: Answering | undefined;
  const ended = new Promise<void>((resolve) => {
    tracer.once("close", () => resolve());
  });
  tracer.on("error", () => tracer.destroy());
  tracer.on("data", (chunk: Uint8Array) => {
    try {
      reader.push(chunk);
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        const question = decodeQuestion(frame);
        answering ??= new Answering(question.init, parts);
        void answering.answer(question, tracer);
      }
    } catch (error) {
      parts.log.warn(`tether: ${(error as Error).message}`);
      tracer.destroy();
    }
  });
  await ended;
  await answering?.close();
}

/** What is known once the instance has a PID 1. */
class Answering {
  readonly #files: TreeFiles;
  readonly #placer: Placer;
  readonly #parts: AnswerParts;

  constructor(init: number, parts: Parts) {
    const root = `/proc/${init}/root`;
    this.#files = new TreeFiles(root);
    this.#placer = new Placer(root);
    const fetcher = new Fetcher({ ...parts, placer: this.#placer });
    this.#parts = { instance: this.#files, fetcher, source: parts.source, log: parts.log };
  }

  async answer(question: Question, tracer: Socket): Promise<void> {
    // Asked while the thread stands still.
    const by = programOf(question.pid);
    let answer: Awaited<ReturnType<typeof answerTo>> = "never";
    try {
      answer = await answerTo(this.#parts, question, by);
    } catch (error) {
      // Also where the instance has just ended.
      this.#parts.log.debug(`tether: ${(error as Error).message}`);
    }
    if (question.kind !== "gone" && !tracer.destroyed) tracer.write(encodeAnswer(question.id, answer));
  }

  async close(): Promise<void> {
    this.#placer.close();
    await this.#files.close();
  }
}

function programOf(pid: number): ByteString {
  try {
    return readlinkSync(`/proc/${pid}/exe`, "latin1");
  } catch {
    return "";
  }
}
