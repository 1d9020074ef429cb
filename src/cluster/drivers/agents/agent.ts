// The agent of a node: a driver of that machine, told what to do by the control plane over a connection that it makes itself.
//
// Theory. What the agent runs does not depend on the connection, nor on the agent: containers go on without both. On each connection it
// tells first all that it holds, then what changes. It tries again for ever, with pauses that grow; only who was never taken in ends
// where it is refused for good, as its call was wrong: a token that is changed later must not leave what runs without its agent.
import { TranshipError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import type { Attribute } from "../../api/shapes.ts";
import type { Driver, DriverNode, Running, SeenTask, TaskSpec } from "../driver.ts";
import { CredentialQuestions } from "./credential-questions.ts";
import {
  agentPath,
  beatEvery,
  type EngineKind,
  type ExecOrder,
  type FromAgent,
  packStream,
  protocolVersion,
  readToAgent,
  refusal,
  silenceEnds,
  type ToAgent,
  unpackStream,
} from "./protocol.ts";
import { whyNotReached } from "./why-not.ts";

export interface AgentOptions {
  /** "http://HOST:PORT" or https. */
  url: string;
  token: string;
  engine: EngineKind;
  driver: Driver;
  /** Besides those that the driver knows. */
  attributes: readonly Attribute[];
  log: Log;
  signal: AbortSignal;
  /** Called when the control plane has taken it in, each time. */
  onWelcome?: () => void;
}

/** Milliseconds between tries; the last one for all further. */
const pauses = [200, 500, 1000, 2000, 5000];

/** Returns when the signal comes; what runs goes on. E_CLUSTER_REFUSED where the control plane refuses the node for good, before it was ever taken in. */
export async function runAgent(options: AgentOptions): Promise<void> {
  const agent = new Agent(options);
  await agent.open();
  await agent.serve();
}

class Agent {
  readonly #options: AgentOptions;
  /** The last that was seen of each task. */
  readonly #tasks = new Map<string, SeenTask>();
  readonly #sessions = new Map<number, Running>();
  readonly #credentials = new CredentialQuestions((task) => this.#say({ credentials: { task } }));
  #socket: WebSocket | undefined;
  #fence: NodeJS.Timeout | undefined;
  /** As the control plane said last; before that, half of its default grace. */
  #fenceAfter = 10_000;

  constructor(options: AgentOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    this.#options.driver.watch({
      taskChanged: (task) => {
        this.#tasks.set(task.id, task);
        this.#say({ task });
      },
      nodesChanged: () => {},
      nodeOpened: () => {},
    });
    this.#options.driver.credentialsFrom?.((task) => this.#credentials.ask(task));
    await this.#options.driver.open();
  }

  async serve(): Promise<void> {
    const { signal, log, driver } = this.#options;
    let welcome = false;
    let refused: string | undefined;
    for (let failures = 0; !signal.aborted; failures++) {
      const { reason, code } = await this.#connect(() => {
        failures = 0;
        welcome = true;
        this.#options.onWelcome?.();
      });
      if (signal.aborted) break;
      if (code === refusal.forGood && !welcome) {
        refused = reason;
        break;
      }
      const pause = pauses[Math.min(failures, pauses.length - 1)] ?? 5000;
      log.warn(`the connection to ${this.#options.url} ended: ${reason}; trying again in ${pause / 1000} s`);
      await sleep(pause, signal);
    }
    clearTimeout(this.#fence);
    await driver.close();
    if (refused !== undefined)
      throw new TranshipError("E_CLUSTER_REFUSED", `${this.#options.url} refuses this node: ${refused}`, {
        hint: "print the token with `tranship cluster token` where the control plane is; both sides need the same version of tranship",
      });
  }

  /** Resolves when the connection has ended. */
  #connect(onWelcome: () => void): Promise<{ reason: string; code: number }> {
    return new Promise((resolve) => {
      const socket = new WebSocket(`${this.#options.url.replace(/^http/, "ws")}${agentPath}`);
      socket.binaryType = "arraybuffer";
      let heard = Date.now();
      const timer = setInterval(() => {
        if (Date.now() - heard > silenceEnds) silent();
        else if (socket.readyState === WebSocket.OPEN) this.#say({ beat: true });
      }, beatEvery);
      const leave = (): void => socket.close(1000, "the agent ends");
      this.#options.signal.addEventListener("abort", leave);
      let opened = false;
      socket.onopen = () => {
        opened = true;
        this.#socket = socket;
        this.#say({ hello: this.#hello() });
      };
      socket.onmessage = ({ data }) => {
        heard = Date.now();
        if (typeof data !== "string") {
          this.#input(Buffer.from(data as ArrayBuffer));
          return;
        }
        const word = readToAgent(data);
        if ("welcome" in word) {
          this.#fenceAfter = word.welcome.fenceAfter;
          clearTimeout(this.#fence);
          this.#fence = undefined;
          this.#tellAll();
          onWelcome();
        } else this.#obey(word);
      };
      socket.onerror = () => {}; // closing follows
      const over = (): void => {
        clearInterval(timer);
        this.#options.signal.removeEventListener("abort", leave);
        this.#socket = undefined;
        for (const running of this.#sessions.values()) running.kill();
        this.#sessions.clear();
        this.#cutOff();
      };
      // close() waits for the word of a peer that is not heard: for minutes, in which nothing would be ended.
      const silent = (): void => {
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close(3000, "silence");
        over();
        resolve({ reason: `nothing was heard for ${silenceEnds / 1000} s`, code: 1006 });
      };
      socket.onclose = ({ reason, code }) => {
        over();
        const told = reason || (code === 1006 ? undefined : `code ${code}`);
        if (told !== undefined || opened) resolve({ reason: told ?? "no answer", code });
        else void whyNotReached(this.#options.url).then((why) => resolve({ reason: why, code }));
      };
    });
  }

  /** What must not be there twice is ended when the connection stays away: the control plane starts it elsewhere then. */
  #cutOff(): void {
    // From when the connection broke: tries in vain to make another do not put it off.
    this.#fence ??= setTimeout(() => {
      for (const { id, exclusive, lastStatus } of this.#tasks.values()) {
        if (exclusive !== true || lastStatus === "STOPPED") continue;
        this.#options.log.warn(`cut off: task ${id} is ended, because it must not be there twice`);
        this.#options.driver.stop(id);
      }
    }, this.#fenceAfter);
  }

  #hello(): Extract<FromAgent, { hello: unknown }>["hello"] {
    const [node] = this.#options.driver.nodes() as [DriverNode];
    const { token, engine, attributes } = this.#options;
    const all = { ...node, attributes: [...node.attributes, ...attributes] };
    return { protocol: protocolVersion, token, node: all, engine };
  }

  #tellAll(): void {
    for (const task of this.#tasks.values()) this.#say({ task });
    this.#say({ opened: true });
  }

  #obey(word: ToAgent): void {
    const { driver } = this.#options;
    if ("start" in word) this.#start(word.start);
    else if ("letGo" in word) driver.letGo?.(word.letGo);
    else if ("stop" in word) driver.stop(word.stop);
    else if ("forget" in word) {
      this.#tasks.delete(word.forget);
      driver.forget(word.forget);
    } else if ("exec" in word) this.#exec(word.exec);
    else if ("credentials" in word) this.#credentials.answered(word.credentials.task, word.credentials.given);
    else if ("logs" in word)
      this.#join(word.logs.session, this.#options.driver.logs?.(word.logs.query).streams[0]?.running);
    else if ("eof" in word) this.#sessions.get(word.eof)?.end();
    else if ("kill" in word) this.#sessions.get(word.kill)?.kill();
    else if ("hold" in word) this.#sessions.get(word.hold)?.pause();
    else if ("go" in word) this.#sessions.get(word.go)?.resume();
  }

  #start(spec: TaskSpec): void {
    const known = this.#tasks.get(spec.id);
    if (known !== undefined) {
      this.#say({ task: known });
      return;
    }
    const refusal = this.#options.driver.refuses(spec.definition);
    if (refusal === undefined) {
      this.#options.driver.start(spec);
      return;
    }
    const containers = (spec.definition.containerDefinitions ?? []).map(({ name }) => ({
      name,
      lastStatus: "STOPPED",
      reason: refusal,
    }));
    const task: SeenTask = {
      id: spec.id,
      lastStatus: "STOPPED",
      stopCode: "TaskFailedToStart",
      stoppedReason: refusal,
      containers,
    };
    this.#tasks.set(spec.id, task);
    this.#say({ task });
  }

  #exec({ session, ...request }: ExecOrder): void {
    this.#join(session, this.#options.driver.exec?.(request));
  }

  #join(session: number, running: Running | undefined): void {
    if (running === undefined) {
      this.#say({ exited: { session, status: 125 } });
      return;
    }
    this.#sessions.set(session, running);
    const send = (stream: number) => (chunk: Uint8Array) =>
      this.#socket?.send(packStream(stream, session, chunk) as Uint8Array<ArrayBuffer>);
    running.onOutput(send(1), send(2));
    running.onExit((status) => {
      this.#sessions.delete(session);
      this.#say({ exited: { session, status } });
    });
  }

  #input(data: Buffer): void {
    const piece = unpackStream(data);
    if (piece !== undefined) this.#sessions.get(piece.session)?.write(piece.chunk);
  }

  #say(word: FromAgent): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(word));
  }
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}
