// The control plane's end of the connection to an agent.
import type { WebSocket } from "ws";
import type { LogQuery } from "../../logs/log-event.ts";
import type { ExecRequest, Running } from "../driver.ts";
import type { AgentsDriver } from "./agents-driver.ts";
import {
  beatEvery,
  type FromAgent,
  packStream,
  protocolVersion,
  readFromAgent,
  refusal,
  silenceEnds,
  type ToAgent,
  unpackStream,
} from "./protocol.ts";
import { RemoteExec } from "./remote-exec.ts";

export interface Entry {
  driver: AgentsDriver;
  /** Whether a token is the one that nodes are given. */
  mayEnter: (token: string) => boolean;
  /** Milliseconds without a connection after which a node ends what must not be there twice. */
  fenceAfter: number;
}

export function acceptAgent(socket: WebSocket, entry: Entry): void {
  new AgentLink(socket, entry).open();
}

export class AgentLink {
  readonly #socket: WebSocket;
  readonly #entry: Entry;
  readonly #sessions = new Map<number, RemoteExec>();
  #node: string | undefined;
  #lastSession = 0;
  #heard = Date.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: WebSocket, entry: Entry) {
    this.#socket = socket;
    this.#entry = entry;
  }

  open(): void {
    this.#timer = setInterval(() => this.#beat(), beatEvery);
    this.#socket.on("message", (data: Buffer, binary: boolean) => {
      this.#heard = Date.now();
      if (binary) this.#stream(data);
      else this.#word(readFromAgent(data.toString()));
    });
    this.#socket.on("error", () => {}); // closing follows
    this.#socket.on("close", () => this.#ended());
  }

  send(word: ToAgent): void {
    this.#socket.send(JSON.stringify(word));
  }

  exec(request: ExecRequest): Running {
    const running = this.#session();
    this.send({ exec: { session: this.#lastSession, ...request } });
    return running;
  }

  logs(query: LogQuery): Running {
    const running = this.#session();
    this.send({ logs: { session: this.#lastSession, query } });
    return running;
  }

  #session(): Running {
    const session = ++this.#lastSession;
    const running = new RemoteExec({
      say: (word) => this.send(word),
      input: (chunk) => this.#socket.send(packStream(0, session, chunk)),
      session,
    });
    this.#sessions.set(session, running);
    return running;
  }

  close(reason: string): void {
    this.#socket.close(1000, reason);
  }

  /** At once, without a word: the other side is not believed to hear it. */
  cut(): void {
    this.#socket.terminate();
  }

  #beat(): void {
    if (Date.now() - this.#heard > silenceEnds) this.#socket.terminate();
    else this.send({ beat: true });
  }

  #word(word: FromAgent | undefined): void {
    if (word === undefined) {
      this.#refuse("not understood");
      return;
    }
    if ("hello" in word) {
      this.#hello(word.hello);
      return;
    }
    if (this.#node === undefined) {
      this.#refuse("no hello");
      return;
    }
    if ("credentials" in word) void this.#credentials(this.#node, word.credentials.task);
    else if ("task" in word) this.#entry.driver.told(this.#node, word.task);
    else if ("opened" in word) this.#entry.driver.opened(this.#node);
    else if ("exited" in word) {
      this.#sessions.get(word.exited.session)?.exited(word.exited.status);
      this.#sessions.delete(word.exited.session);
    }
  }

  async #credentials(node: string, task: string): Promise<void> {
    const given = await this.#entry.driver.credentialsFor(node, task);
    this.send({ credentials: { task, given: given ?? null } });
  }

  #hello({ protocol, token, node, engine }: Extract<FromAgent, { hello: unknown }>["hello"]): void {
    if (this.#node !== undefined) {
      this.#refuse("a second hello");
      return;
    }
    if (!this.#entry.mayEnter(token)) {
      this.#refuse("the token is not the one of this cluster", refusal.forGood);
      return;
    }
    if (protocol !== protocolVersion) {
      const reason = `the agent speaks version ${protocol}, the control plane ${protocolVersion}`;
      this.#refuse(reason, refusal.forGood);
      return;
    }
    if (!this.#entry.driver.mayJoin(node.name)) {
      this.#refuse(`a node called ${node.name} is connected already`);
      return;
    }
    this.#node = node.name;
    this.#entry.driver.joined(node, engine, this);
    this.send({ welcome: { fenceAfter: this.#entry.fenceAfter } });
  }

  #stream(data: Buffer): void {
    const piece = unpackStream(data);
    if (piece === undefined || this.#node === undefined) {
      this.#refuse("not understood");
      return;
    }
    this.#sessions.get(piece.session)?.output(piece.stream, piece.chunk);
  }

  #refuse(reason: string, code: number = refusal.now): void {
    this.#socket.close(code, reason);
  }

  #ended(): void {
    clearInterval(this.#timer);
    for (const running of this.#sessions.values()) running.exited(125);
    this.#sessions.clear();
    if (this.#node !== undefined) this.#entry.driver.left(this.#node, this);
  }
}
