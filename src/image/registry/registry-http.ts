// Requests to one registry: logged in, repeated where that helps, redirects followed without taking credentials along.
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dispatcher } from "undici";
import { TranshipError } from "../../base/errors.ts";
import { Authorizer } from "./authorizer.ts";
import { Connections } from "./connections.ts";
import { readDocument } from "./document.ts";
import type { RemoteRepository } from "./endpoint.ts";
import { answerError, connectionError, interrupted, isTransient, wordsOf } from "./registry-errors.ts";
import type { RegistrySettings } from "./settings.ts";

export interface Ask {
  method: Dispatcher.HttpMethod;
  /** Below the registry's address, or an address that the registry gave. */
  url: string | URL;
  headers?: Record<string, string>;
  /** Made anew for each try. */
  body?: () => Uint8Array | Readable;
  /** "repository:NAME:pull" and the like: what a token has to allow. */
  scopes?: readonly string[];
  /** Statuses that are an answer; all others are errors. */
  expect: readonly number[];
  /** For errors: "manifest shop:1". */
  what: string;
  /** Whether a second try does no harm. Default true. */
  repeat?: boolean;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Dispatcher.ResponseData["body"];
  /** Where it came from in the end. */
  url: URL;
}

const redirects = new Set([301, 302, 303, 307, 308]);
const again = new Set([408, 425, 429, 500, 502, 503, 504]);
const maxRedirects = 5;
const maxErrorBody = 64 << 10;
/** Longest that a registry may make us wait, milliseconds. */
const longestPause = 60_000;

export class RegistryHttp {
  readonly base: URL;
  readonly settings: RegistrySettings;
  readonly #connections: Connections;
  readonly #authorizer: Authorizer;

  constructor(remote: RemoteRepository, settings: RegistrySettings) {
    this.settings = settings;
    this.base = new URL(`${settings.plainHttp === true ? "http" : "https"}://${remote.host}/`);
    this.#connections = new Connections(this.base.host, settings);
    this.#authorizer = new Authorizer(remote.registry, this.base, this.#connections, settings);
  }

  async close(): Promise<void> {
    await this.#connections.close();
  }

  /** The answer's body has to be read, or dumped, by the caller. */
  async ask(ask: Ask): Promise<Answer> {
    const tries = ask.repeat === false ? 0 : (this.settings.retries ?? 5);
    for (let attempt = 0; ; attempt++) {
      let pause: number | undefined;
      try {
        const answer = await this.#authorized(ask);
        if (ask.expect.includes(answer.status)) return answer;
        const words = wordsOf(await errorBody(answer));
        const failure = answerError(ask.what, answer.url, answer.status, words);
        if (!again.has(answer.status) || attempt >= tries) throw failure;
        pause = retryAfter(answer.headers["retry-after"]);
        this.settings.log?.debug(`${failure.message}; trying again`);
      } catch (cause) {
        this.#checkStopped(cause);
        const url = new URL(ask.url, this.base);
        if (!isTransient(cause) || attempt >= tries) throw connectionError(url, cause);
        this.settings.log?.debug(`${connectionError(url, cause).message}; trying again`);
      }
      await this.pause(attempt, pause);
    }
  }

  /** Waits before try number `attempt` + 1: longer each time, and not in step with others. */
  async pause(attempt: number, asked?: number): Promise<void> {
    const first = this.settings.retryDelay ?? 500;
    const own = first * 2 ** Math.min(attempt, 10) * (0.75 + Math.random() / 2);
    const { signal } = this.settings;
    try {
      await sleep(
        Math.min(longestPause, Math.max(own, asked ?? 0)),
        undefined,
        signal === undefined ? {} : { signal },
      );
    } catch (cause) {
      throw interrupted(cause);
    }
  }

  #checkStopped(cause: unknown): void {
    if (this.settings.signal?.aborted === true) throw interrupted(cause);
  }

  async #authorized(ask: Ask): Promise<Answer> {
    const scopes = ask.scopes ?? [];
    const url = new URL(ask.url, this.base);
    // An address that the registry gave may be another host's, which gets no credentials.
    const own = url.origin === this.base.origin;
    let sent = own ? await this.#authorizer.header(scopes) : undefined;
    for (let attempt = 0; ; attempt++) {
      const answer = await this.#follow(ask, url, sent);
      const refused = answer.status === 401 && answer.url.origin === this.base.origin;
      if (!refused || attempt > 0) return answer;
      if (!(await this.#authorizer.learn(answer.headers["www-authenticate"], scopes, sent))) return answer;
      await answer.body.dump();
      sent = await this.#authorizer.header(scopes);
    }
  }

  async #follow(ask: Ask, first: URL, authorization: string | undefined): Promise<Answer> {
    let url = first;
    for (let count = 0; ; count++) {
      const own = url.origin === this.base.origin;
      const headers = {
        ...ask.headers,
        ...(own && authorization !== undefined ? { authorization } : {}),
      };
      const answer = await this.#connections.send(url, {
        method: ask.method,
        headers,
        body: ask.body?.() ?? null,
        signal: this.settings.signal,
      });
      const { location } = answer.headers;
      const reading = ask.method === "GET" || ask.method === "HEAD";
      if (!redirects.has(answer.statusCode) || typeof location !== "string" || !reading)
        return { status: answer.statusCode, headers: answer.headers, body: answer.body, url };
      await answer.body.dump();
      if (count >= maxRedirects)
        throw new TranshipError(
          "E_REGISTRY_FAILED",
          `${first.host} redirects more than ${maxRedirects} times`,
        );
      url = redirected(url, location);
    }
  }
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  const safe =
    to !== undefined && (to.protocol === "https:" || (to.protocol === "http:" && from.protocol === "http:"));
  if (!safe) {
    throw new TranshipError(
      "E_REGISTRY_UNSAFE",
      `${from.host} redirects to ${JSON.stringify(location.slice(0, 100))}, which is no address with TLS`,
      { hint: "tell the registry's administrator; nothing was fetched from there" },
    );
  }
  to.username = "";
  to.password = "";
  return to;
}

async function errorBody(answer: Answer): Promise<string> {
  try {
    return new TextDecoder().decode(await readDocument(answer.body, maxErrorBody, "an error"));
  } catch {
    return ""; // the status says enough
  }
}

/** Milliseconds that the header asks for: seconds or a date. */
function retryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== "string") return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}
