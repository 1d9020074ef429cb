// The store as a registry (distribution specification 1.1), for sites that have no other. Everybody who may write may write everything:
// names and passwords say who, not where.
import { once } from "node:events";
import {
  createServer as createPlain,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createTls } from "node:https";
import type { AddressInfo } from "node:net";
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ImageStore } from "../store.ts";
import { Htpasswd } from "./htpasswd.ts";
import { HttpError } from "./http-error.ts";
import { type Request, RequestHandler } from "./request-handler.ts";
import { routeOf } from "./routes.ts";
import { SessionHolder } from "./session-holder.ts";

export interface ServerOptions {
  host: string;
  /** 0: any that is free. */
  port: number;
  readOnly?: boolean;
  /** A file of names and bcrypt passwords: without one of them nothing is answered. */
  htpasswd?: string;
  /** PEM. */
  tls?: { cert: Buffer; key: Buffer };
  /** Bytes of one blob. Default 64 GiB. */
  maxBlob?: number;
  log: Log;
}

export interface RunningServer {
  address: AddressInfo;
  /** Ends what is under way. */
  close(): Promise<void>;
}

/** Milliseconds: for the head of a request, and for a connection on which nothing moves. */
const headTime = 10_000;
const idleTime = 60_000;
const maxConnections = 512;

export async function startRegistry(store: ImageStore, options: ServerOptions): Promise<RunningServer> {
  const users = options.htpasswd === undefined ? undefined : new Htpasswd(options.htpasswd);
  const sessions = new SessionHolder(store);
  const handler = new RequestHandler(store, sessions, options);
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    response.on("error", () => {}); // the other side went away
    void handle(request, response, { users, handler, log: options.log });
  };
  const limits = {
    headersTimeout: headTime,
    requestTimeout: 0,
    keepAliveTimeout: headTime,
    maxHeaderSize: 32 << 10,
    connectionsCheckingInterval: 5000,
  };
  const server: Server =
    options.tls === undefined
      ? createPlain(limits, answer)
      : createTls({ ...limits, ...options.tls, handshakeTimeout: headTime, minVersion: "TLSv1.2" }, answer);
  server.setTimeout(idleTime);
  server.maxConnections = maxConnections;
  try {
    server.listen(options.port, options.host);
    await once(server, "listening");
  } catch (cause) {
    await handler.close();
    sessions.close();
    throw listenError(options, cause);
  }
  return {
    address: server.address() as AddressInfo,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      await handler.close();
      sessions.close();
    },
  };
}

function listenError({ host, port }: ServerOptions, cause: unknown): TranshipError {
  const taken = (cause as NodeJS.ErrnoException).code === "EADDRINUSE";
  return new TranshipError(
    taken ? "E_PORT_TAKEN" : "E_IO",
    `cannot listen on ${host}:${port}: ${(cause as Error).message}`,
    {
      hint: taken ? "another program has that port; choose one with --listen" : "see --listen",
      cause,
    },
  );
}

interface Parts {
  users: Htpasswd | undefined;
  handler: RequestHandler;
  log: Log;
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  { users, handler, log }: Parts,
): Promise<void> {
  response.setHeader("docker-distribution-api-version", "registry/2.0");
  response.setHeader("x-content-type-options", "nosniff");
  const began = Date.now();
  let user: string | undefined;
  try {
    if (users !== undefined) {
      user = await users.user(request.headers.authorization);
      if (user === undefined)
        throw new HttpError(401, "UNAUTHORIZED", "log in first", {
          "www-authenticate": 'Basic realm="tranship"',
        });
    }
    await handler.answer(parse(request), request, response);
  } catch (error) {
    if (!request.destroyed || !response.headersSent) tell(request, response, error, log);
  }
  log.debug(
    `${request.method} ${request.url?.slice(0, 300)} ${response.statusCode} ${Date.now() - began} ms`,
    { user: user ?? "" },
  );
}

function parse(request: IncomingMessage): Request {
  const [path = "", query = ""] = (request.url ?? "").split("?", 2);
  const route = routeOf(path);
  if (route === undefined) throw new HttpError(404, "UNSUPPORTED", "there is nothing at this path");
  return { method: request.method ?? "", route, query: new URLSearchParams(query) };
}

function tell(request: IncomingMessage, response: ServerResponse, error: unknown, log: Log): void {
  const known = httpError(error);
  if (known.status >= 500)
    log.error(`${request.method} ${request.url?.slice(0, 300)}: ${(error as Error).message}`);
  if (response.headersSent) {
    response.destroy(); // a body that is cut off is not taken for a whole one
    return;
  }
  const body = JSON.stringify({ errors: [{ code: known.code, message: known.message, detail: null }] });
  // What is left of the request's body is not read.
  const close = request.complete ? {} : { connection: "close" };
  response.writeHead(known.status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...close,
    ...known.headers,
  });
  response.end(request.method === "HEAD" ? undefined : body, () => {
    if (!request.complete) request.destroy();
  });
}

function httpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (isTranshipError(error, "E_NO_SPACE")) return new HttpError(507, "UNSUPPORTED", "the store is full");
  if (isTranshipError(error, "E_LIMIT")) return new HttpError(413, "SIZE_INVALID", error.message);
  if (isTranshipError(error, "E_IMAGE_CORRUPT"))
    return new HttpError(500, "BLOB_UNKNOWN", "the store is damaged here");
  // The rest is for the log: it may name paths of this host.
  return new HttpError(500, "UNSUPPORTED", "the server could not do that");
}
