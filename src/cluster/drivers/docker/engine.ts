// A client of the Docker Engine API, version 1.41 and later: over the engine's socket, or TCP inside of a private network.
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { TranshipError } from "../../../base/errors.ts";

/** What the engine answered instead of 2xx. */
export class EngineError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Call {
  query?: Readonly<Record<string, string>>;
  body?: unknown;
  /** Sent as it is, instead of a body in JSON. */
  raw?: Uint8Array;
  headers?: Readonly<Record<string, string>>;
  /** Milliseconds until the engine must have begun to answer. Default 60 s. */
  timeout?: number;
}

type Where = { socketPath: string } | { host: string; port: number };

/** No answer but a stream is larger. */
const answerLimit = 32 << 20;
/** What we speak; an older engine is refused, a newer one speaks it too. */
const oldest = 1.41;
const newest = 1.48;

export class Engine {
  readonly address: string;
  readonly #where: Where;
  #version: Promise<string> | undefined;

  /** "unix:///run/docker.sock" or "tcp://HOST:PORT". E_USAGE where it is neither. */
  constructor(address: string) {
    this.address = address;
    this.#where = parseAddress(address);
  }

  /** Undefined where the engine answers 404. EngineError for what else is not 2xx, E_ENGINE_UNREACHABLE where it does not answer. */
  async get<T>(path: string, call: Call = {}): Promise<T | undefined> {
    try {
      return await this.json<T>("GET", path, call);
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return undefined;
      throw error;
    }
  }

  async post<T>(path: string, call: Call = {}): Promise<T> {
    return this.json<T>("POST", path, call);
  }

  /** Without effect where there is nothing to remove. */
  async delete(path: string, call: Call = {}): Promise<void> {
    try {
      await this.json("DELETE", path, call);
    } catch (error) {
      if (!(error instanceof EngineError && error.status === 404)) throw error;
    }
  }

  async json<T>(method: string, path: string, call: Call): Promise<T> {
    const response = await this.#send(method, await this.#versioned(path), call);
    const text = await collect(response);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** The bytes of an answer as they come; leaving them ends it. */
  async stream(path: string, call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const response = await this.#send("GET", await this.#versioned(path), call);
    const leave = (): unknown => response.destroy();
    signal.addEventListener("abort", leave, { once: true });
    response.once("close", () => signal.removeEventListener("abort", leave));
    if (signal.aborted) leave();
    return response;
  }

  /** Lines of JSON as they come. */
  async *lines(method: string, path: string, call: Call = {}): AsyncGenerator<Record<string, unknown>> {
    const response = await this.#send(method, await this.#versioned(path), call);
    let rest = "";
    for await (const chunk of response) {
      rest += String(chunk);
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > answerLimit) throw new EngineError(0, "the engine sent a line without end");
      for (const line of lines) if (line.trim() !== "") yield JSON.parse(line) as Record<string, unknown>;
    }
  }

  /** Both ways, in the engine's own framing. */
  async hijack(path: string, body: unknown): Promise<Duplex> {
    const versioned = await this.#versioned(path);
    return new Promise((resolve, reject) => {
      const sent = this.#request("POST", versioned, { Connection: "Upgrade", Upgrade: "tcp" }, body);
      sent.on("upgrade", (_response, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      sent.on("response", (response) => void failed(response).then(reject, reject));
      sent.on("error", (cause) => reject(this.#unreachable(cause)));
      sent.end(JSON.stringify(body));
    });
  }

  #versioned(path: string): Promise<string> {
    this.#version ??= this.#negotiate().catch((error: unknown) => {
      this.#version = undefined;
      throw error;
    });
    return this.#version.then((version) => `/v${version}${path}`);
  }

  async #negotiate(): Promise<string> {
    const response = await this.#send("GET", "/version", { timeout: 10_000 });
    const { ApiVersion = "0" } = JSON.parse(await collect(response)) as { ApiVersion?: string };
    const offered = Number(ApiVersion);
    if (!(offered >= oldest))
      throw new TranshipError(
        "E_ENGINE_UNREACHABLE",
        `${this.address} speaks version ${ApiVersion} of the Engine API, at least ${oldest} is needed`,
        { hint: "use Docker 20.10 or later" },
      );
    return String(Math.min(offered, newest));
  }

  #request(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: unknown,
  ): ClientRequest {
    return request({
      ...this.#where,
      method,
      path,
      headers: {
        Host: "docker",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      agent: false,
    });
  }

  #send(method: string, path: string, call: Call): Promise<IncomingMessage> {
    const query = new URLSearchParams(call.query).toString();
    const { headers = {}, timeout = 60_000, raw, body } = call;
    return new Promise((resolve, reject) => {
      const sent = this.#request(method, query === "" ? path : `${path}?${query}`, headers, body);
      const patience = setTimeout(
        () => sent.destroy(new Error(`no answer within ${timeout / 1000} s`)),
        timeout,
      );
      sent.on("response", (response) => {
        clearTimeout(patience);
        const { statusCode = 0 } = response;
        // 304: it was so already.
        if ((statusCode >= 200 && statusCode < 300) || statusCode === 304) resolve(response);
        else void failed(response).then(reject, reject);
      });
      sent.on("error", (cause) => {
        clearTimeout(patience);
        reject(this.#unreachable(cause));
      });
      if (raw !== undefined) sent.end(raw);
      else if (body !== undefined) sent.end(JSON.stringify(body));
      else sent.end();
    });
  }

  #unreachable(cause: Error): TranshipError {
    return new TranshipError("E_ENGINE_UNREACHABLE", `${this.address}: ${cause.message}`, {
      hint: "does the engine run, and may this user open its socket?",
      cause,
    });
  }
}

function parseAddress(address: string): Where {
  const [, socketPath] = /^unix:\/\/(\/.+)$/.exec(address) ?? [];
  if (socketPath !== undefined) return { socketPath };
  const [, host, port] = /^tcp:\/\/([A-Za-z0-9.-]+):(\d{1,5})$/.exec(address) ?? [];
  if (host !== undefined && Number(port) < 65536) return { host, port: Number(port) };
  throw new TranshipError("E_USAGE", `${address} is not the address of an engine`, {
    hint: "give unix:///PATH or tcp://HOST:PORT",
  });
}

async function collect(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > answerLimit) throw new EngineError(0, "the engine's answer has no end");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function failed(response: IncomingMessage): Promise<EngineError> {
  const text = await collect(response);
  let message = text;
  try {
    message = String((JSON.parse(text) as { message?: unknown }).message ?? text);
  } catch {
    // Not JSON: the text itself.
  }
  return new EngineError(response.statusCode ?? 0, message.trim().slice(0, 2000));
}
