// Calls of the API over HTTP: POST /, on node:http itself. Router, parser of bodies and hooks of a framework would cost as much as a call.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { answer, operationOf } from "./answer.ts";
import type { CallOf } from "./caller.ts";
import { EcsError } from "./ecs-error.ts";

export interface CallOptions {
  callOf: CallOf;
  /** Told what went wrong inside. */
  onDefect: (error: unknown) => void;
  /** Told what is answered; tests hold it against the model. */
  onAnswer?: (operation: string, text: string) => void;
}

/** No call of the API needs a larger body, in bytes. */
export const bodyLimit = 1024 * 1024;

export function answerCalls(options: CallOptions): RequestListener {
  return (request, response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > bodyLimit) refuse(request, response);
      else chunks.push(chunk);
    });
    request.on("end", () => {
      if (size > bodyLimit) return;
      void serve(
        options,
        request,
        response,
        chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks),
      );
    });
    // The peer is gone before its call was whole: nobody is left to be told.
    request.on("error", () => {});
  };
}

async function serve(
  options: CallOptions,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
): Promise<void> {
  try {
    const call = options.callOf(request, body);
    const target = request.headers["x-amz-target"];
    const operation = operationOf(typeof target === "string" ? target : undefined);
    const text = await answer(call, operation, body);
    options.onAnswer?.(operation, text);
    send(response, 200, headersOfAnswer(), text);
  } catch (error) {
    const { status, headers, text } = wordsOf(error, options.onDefect);
    send(response, status, headers, text);
  }
}

/** What is answered instead, of whatever was thrown: errors of the protocol are answers, everything else is a defect of ours. */
export function wordsOf(
  thrown: unknown,
  onDefect: (error: unknown) => void,
): { status: number; headers: Record<string, string>; text: string } {
  if (!(thrown instanceof EcsError)) onDefect(thrown);
  const error =
    thrown instanceof EcsError
      ? thrown
      : new EcsError("ServerException", "The control plane failed; its log tells why.");
  return {
    status: error.status,
    headers: { ...headersOfAnswer(), "x-amzn-errortype": error.type },
    text: JSON.stringify({ __type: error.type, message: error.message, ...error.details }),
  };
}

/** Nothing more is read of it. */
function refuse(request: IncomingMessage, response: ServerResponse): void {
  request.removeAllListeners("data");
  const { status, headers, text } = wordsOf(tooLarge(), () => {});
  send(response, status, { ...headers, connection: "close" }, text);
  response.once("finish", () => request.destroy());
}

export const tooLarge = (): EcsError =>
  new EcsError("RequestEntityTooLargeException", `The body is larger than ${bodyLimit} bytes.`, {
    status: 413,
  });

function headersOfAnswer(): Record<string, string> {
  return { "x-amzn-requestid": randomUUID(), "content-type": "application/x-amz-json-1.1" };
}

function send(response: ServerResponse, status: number, headers: Record<string, string>, text: string): void {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(text) });
  response.end(text);
}
