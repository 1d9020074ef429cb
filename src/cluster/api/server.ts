// The HTTP front: calls of the API, the streams beside them, bounds on what a caller may cost.
import { createServer, type ServerOptions as HttpOptions, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Server, Socket } from "node:net";
import websocket from "@fastify/websocket";
import fastify, { type FastifyInstance } from "fastify";
import { type AgentEntry, serveAgents } from "./agent-stream.ts";
import { type CallerOptions, callers } from "./caller.ts";
import { answerCalls, bodyLimit, type CallOptions, tooLarge, wordsOf } from "./calls.ts";
import { EcsError } from "./ecs-error.ts";
import { serveExecStreams } from "./exec-stream.ts";
import { answerLogs, logPath } from "./log-stream.ts";
import { fromThisMachine } from "./own-machine.ts";

export interface ServerOptions
  extends Omit<CallerOptions, "secure">,
    Pick<CallOptions, "onDefect" | "onAnswer"> {
  /** POST /reset empties the state. */
  allowReset: boolean;
  tls?: { cert: Buffer; key: Buffer };
  /** Without it nodes cannot join. */
  agents?: AgentEntry;
  patience?: Patience;
}

/** With one connection, in milliseconds: a peer that is slow loses its connection, not we ours. */
export interface Patience {
  /** Without a byte in either direction. */
  connection: number;
  /** From the first byte of a request to its last. */
  request: number;
  /** From the first byte of a request to the end of its headers. */
  headers: number;
  keepAlive: number;
  /** Between two looks at what is over the times for requests and headers. */
  look: number;
}

const connectionsPerPeer = 256;
const usual: Patience = {
  connection: 120_000,
  request: 30_000,
  headers: 20_000,
  keepAlive: 65_000,
  look: 5_000,
};

export function makeServer(options: ServerOptions): FastifyInstance {
  const { control, onDefect } = options;
  const callOf = callers({ ...options, secure: options.tls !== undefined });
  const calls = answerCalls({ ...options, callOf });
  const server = fastify({
    bodyLimit,
    forceCloseConnections: true,
    logger: false,
    serverFactory: (others) =>
      listener(options, (request, response) => {
        if (request.url === "/" && request.method === "POST") calls(request, response);
        else others(request, response);
      }),
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => {
    done(null, body);
  });
  server.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    const { status, headers, text } = wordsOf(asAnswer(error), onDefect);
    return reply.code(status).headers(headers).send(text);
  });
  server.setNotFoundHandler(() => {
    throw new EcsError("UnknownOperationException", "", { status: 404 });
  });
  server.get("/ping", async (_request, reply) => reply.type("text/plain").send("healthy\n"));
  void server.register(websocket, { options: { maxPayload: bodyLimit } });
  void server.register(async (inner) => {
    serveExecStreams(inner, control);
    if (options.agents !== undefined) serveAgents(inner, options.agents, control.nodeGrace);
  });
  server.post(logPath, (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const call = callOf(request.raw, body);
    control.roles?.authorize(call, "ReadLogs", {});
    return answerLogs(call, body, reply);
  });
  if (options.allowReset)
    server.post("/reset", async ({ headers }, reply) => {
      fromThisMachine(headers);
      control.onReset();
      return reply.send({});
    });
  return server;
}

/** What fastify refused is the caller's. */
function asAnswer(error: Error & { statusCode?: number; code?: string }): Error {
  if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE") return tooLarge();
  if (error instanceof EcsError || (error.statusCode ?? 500) >= 500) return error;
  return new EcsError("SerializationException", error.message);
}

function listener(
  { tls, patience = usual }: ServerOptions,
  answer: RequestListener,
): ReturnType<typeof createServer> {
  const bounds: HttpOptions = {
    requestTimeout: patience.request,
    headersTimeout: patience.headers,
    keepAliveTimeout: patience.keepAlive,
    connectionsCheckingInterval: patience.look,
  };
  const server =
    tls === undefined ? createServer(bounds, answer) : createSecureServer({ ...bounds, ...tls }, answer);
  server.setTimeout(patience.connection);
  limitConnections(server);
  return server;
}

function limitConnections(server: Server): void {
  const open = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const peer = socket.remoteAddress ?? "";
    const count = (open.get(peer) ?? 0) + 1;
    if (count > connectionsPerPeer) {
      socket.destroy();
      return;
    }
    open.set(peer, count);
    socket.once("close", () => {
      const left = (open.get(peer) ?? 1) - 1;
      if (left === 0) open.delete(peer);
      else open.set(peer, left);
    });
  });
}
