// The HTTP front: one route, signatures, bounds on what a caller may cost.
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import websocket from "@fastify/websocket";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Call, Control } from "../control/control.ts";
import type { Session } from "../roles/sessions.ts";
import { sessionPrincipal } from "../roles/task-roles.ts";
import { type AgentEntry, serveAgents } from "./agent-stream.ts";
import { answer, operationOf } from "./answer.ts";
import { EcsError } from "./ecs-error.ts";
import { serveExecStreams } from "./exec-stream.ts";
import { answerLogs, logPath } from "./log-stream.ts";
import { ReplayGuard, verifySignature } from "./sigv4.ts";

export interface ServerOptions {
  control: Control;
  /** The secret of an access key; undefined: no such key. */
  secretOf: (accessKeyId: string) => string | undefined;
  /** Calls without a signature are taken; to be used on loopback only. */
  unsigned: boolean;
  /** POST /reset empties the state. */
  allowReset: boolean;
  tls?: { cert: Buffer; key: Buffer };
  /** Without it nodes cannot join. */
  agents?: AgentEntry;
  /** Told what went wrong inside. */
  onDefect: (error: unknown) => void;
}

/** No call of the API needs a larger body. */
const bodyLimit = 1024 * 1024;
const connectionsPerPeer = 256;

export function makeServer(options: ServerOptions): FastifyInstance {
  const server = fastify({
    bodyLimit,
    // A peer that is slow loses its connection, not we ours.
    connectionTimeout: 120_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 65_000,
    // The plain server and the one with TLS take their own options by different names.
    ...(options.tls === undefined
      ? { http: { headersTimeout: 20_000 } as never }
      : { https: { ...options.tls, headersTimeout: 20_000 } as never }),
    forceCloseConnections: true,
    logger: false,
  });
  limitConnections(server);
  const replays = new ReplayGuard();
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => {
    done(null, body);
  });
  server.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE")
      return fail(
        reply,
        new EcsError("RequestEntityTooLargeException", `The body is larger than ${bodyLimit} bytes.`, {
          status: 413,
        }),
      );
    if ((error.statusCode ?? 500) < 500)
      return fail(reply, new EcsError("SerializationException", error.message));
    options.onDefect(error);
    return fail(reply, new EcsError("ServerException", "The control plane failed; its log tells why."));
  });
  server.setNotFoundHandler((_request, reply) =>
    fail(reply, new EcsError("UnknownOperationException", "", { status: 404 })),
  );
  server.get("/ping", async (_request, reply) => reply.type("text/plain").send("healthy\n"));
  void server.register(websocket, { options: { maxPayload: bodyLimit } });
  void server.register(async (inner) => {
    serveExecStreams(inner, options.control);
    if (options.agents !== undefined) serveAgents(inner, options.agents, options.control.nodeGrace);
  });
  server.post("/", (request, reply) => serve(options, replays, request, reply));
  server.post(logPath, (request, reply) =>
    serveWith(options, reply, () => {
      const call = callOf(options, replays, request, bodyOf(request));
      options.control.roles?.authorize(call, "ReadLogs", {});
      return answerLogs(call, bodyOf(request), reply);
    }),
  );
  if (options.allowReset)
    server.post("/reset", async (_request, reply) => {
      options.control.onReset();
      return reply.send({});
    });
  return server;
}

async function serve(
  options: ServerOptions,
  replays: ReplayGuard,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const body = bodyOf(request);
  return serveWith(options, reply, async () => {
    const call = callOf(options, replays, request, body);
    const operation = operationOf(one(request.headers["x-amz-target"]));
    const text = await answer(call, operation, body);
    return reply
      .header("x-amzn-requestid", randomUUID())
      .header("content-type", "application/x-amz-json-1.1")
      .send(text);
  });
}

function bodyOf({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

/** Errors of the protocol are answers. */
async function serveWith(
  options: ServerOptions,
  reply: FastifyReply,
  work: () => FastifyReply | Promise<FastifyReply>,
): Promise<FastifyReply> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EcsError) return fail(reply, error);
    options.onDefect(error);
    return fail(reply, new EcsError("ServerException", "The control plane failed; its log tells why."));
  }
}

function callOf(options: ServerOptions, replays: ReplayGuard, request: FastifyRequest, body: Buffer): Call {
  const { control } = options;
  const endpoint = `${request.protocol}://${one(request.headers.host) ?? "localhost"}`;
  if (options.unsigned) {
    const region = /Credential=[^/]*\/\d+\/([a-z0-9-]+)\//.exec(
      one(request.headers.authorization) ?? "",
    )?.[1];
    return {
      control,
      principal: `arn:aws:iam::${control.account}:root`,
      region: region ?? control.region,
      endpoint,
    };
  }
  const now = control.clock.now();
  let session: Session | undefined;
  const caller = verifySignature(
    { method: request.method, url: request.url, headers: request.headers, body },
    (key, token) => {
      session = control.roles?.session(control, key, token);
      // A key of a person has no token.
      return session?.secretAccessKey ?? (token === undefined ? options.secretOf(key) : undefined);
    },
    now,
  );
  replays.take(caller.signature, now);
  return {
    control,
    principal:
      session === undefined
        ? `arn:aws:iam::${control.account}:user/${caller.accessKeyId}`
        : sessionPrincipal(control.account, session),
    ...(session === undefined ? {} : { role: session.role }),
    region: caller.region,
    endpoint,
  };
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function fail(reply: FastifyReply, error: EcsError): FastifyReply {
  return reply
    .code(error.status)
    .header("x-amzn-requestid", randomUUID())
    .header("x-amzn-errortype", error.type)
    .header("content-type", "application/x-amz-json-1.1")
    .send(JSON.stringify({ __type: error.type, message: error.message, ...error.details }));
}

function limitConnections(server: FastifyInstance): void {
  const open = new Map<string, number>();
  server.server.on("connection", (socket: Socket) => {
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
