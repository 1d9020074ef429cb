// Our own verbs as clients of a control plane.
import { type IncomingMessage, request } from "node:http";
import { request as secureRequest } from "node:https";
import { TranshipError } from "../base/errors.ts";
import { signedHeaders } from "./api/sigv4.ts";
import { reasonOf } from "./drivers/agents/why-not.ts";
import type { AccessKey, Endpoint } from "./keys.ts";
import { textLines } from "./logs/text-lines.ts";

export interface ClusterClient {
  call<T>(operation: string, input: object): Promise<T>;
  /** Lines of JSON as they come; ends with the signal. */
  lines(path: string, target: string, input: object, signal: AbortSignal): AsyncGenerator<string>;
}

export function clusterClient(endpoint: Pick<Endpoint, "url" | "region">, key: AccessKey): ClusterClient {
  return {
    lines: async function* (path, target, input, signal) {
      const url = new URL(path, endpoint.url);
      const body = JSON.stringify(input);
      const headers = signedHeaders({ url, target, body }, key, endpoint.region, Date.now());
      const response = await send(url, headers, body, signal);
      if (response.statusCode !== 200) throw refused(target, parse(await collect(response), url));
      try {
        yield* textLines(response as AsyncIterable<Buffer>);
      } catch (cause) {
        if (!signal.aborted)
          throw new TranshipError("E_CLUSTER_UNREACHABLE", `${url.href}: the connection broke`, {
            hint: "try again",
            cause,
          });
      }
    },
    call: async <T>(operation: string, input: object): Promise<T> => {
      const url = new URL(endpoint.url);
      const body = JSON.stringify(input);
      const target = `AmazonEC2ContainerServiceV20141113.${operation}`;
      const headers = signedHeaders({ url, target, body }, key, endpoint.region, Date.now());
      const { status, text } = await post(url, headers, body);
      const value = parse(text, url);
      if (status === 200) return value as T;
      throw refused(operation, value);
    },
  };
}

export const isUnreachable = (error: unknown): error is TranshipError =>
  error instanceof TranshipError && error.code === "E_CLUSTER_UNREACHABLE";

function refused(what: string, value: unknown): TranshipError {
  const { __type: type = "error", message = "" } = value as { __type?: string; message?: string };
  return new TranshipError("E_CLUSTER_REFUSED", `${what}: ${type}: ${message}`, {
    hint: "see the message; `tranship cluster status` shows what there is",
  });
}

async function post(
  url: URL,
  headers: Record<string, string>,
  body: string,
): Promise<{ status: number; text: string }> {
  const response = await send(url, headers, body);
  return { status: response.statusCode ?? 0, text: await collect(response) };
}

async function collect(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function send(
  url: URL,
  headers: Record<string, string>,
  body: string,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const open = url.protocol === "https:" ? secureRequest : request;
    const options = { method: "POST", headers, timeout: 30_000, ...(signal === undefined ? {} : { signal }) };
    const sent = open(url, options, resolve);
    sent.on("timeout", () => sent.destroy(new Error("no answer within 30 s")));
    sent.on("error", (cause: NodeJS.ErrnoException) => {
      const reason = reasonOf(cause, url.href);
      // It is there, where the words are others than the system's.
      const hint =
        reason === cause.message ? "is `tranship cluster serve` running?" : "do what the reason says";
      reject(new TranshipError("E_CLUSTER_UNREACHABLE", `${url.href}: ${reason}`, { hint, cause }));
    });
    sent.end(body);
  });
}

function parse(text: string, url: URL): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TranshipError("E_CLUSTER_UNREACHABLE", `${url.href} does not answer as a control plane does`, {
      hint: "check the URL",
      cause,
    });
  }
}
