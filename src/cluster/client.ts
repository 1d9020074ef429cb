// Our own verbs as clients of a control plane.
import { request } from "node:http";
import { request as secureRequest } from "node:https";
import { TranshipError } from "../base/errors.ts";
import { signedHeaders } from "./api/sigv4.ts";
import type { AccessKey, Endpoint } from "./keys.ts";

export interface ClusterClient {
  call<T>(operation: string, input: object): Promise<T>;
}

export function clusterClient(endpoint: Pick<Endpoint, "url" | "region">, key: AccessKey): ClusterClient {
  return {
    call: async <T>(operation: string, input: object): Promise<T> => {
      const url = new URL(endpoint.url);
      const body = JSON.stringify(input);
      const target = `AmazonEC2ContainerServiceV20141113.${operation}`;
      const headers = signedHeaders({ url, target, body }, key, endpoint.region, Date.now());
      const { status, text } = await post(url, headers, body);
      const value = parse(text, url);
      if (status === 200) return value as T;
      const { __type: type = "error", message = "" } = value as { __type?: string; message?: string };
      throw new TranshipError("E_CLUSTER_REFUSED", `${operation}: ${type}: ${message}`, {
        hint: "see the message; `tranship cluster status` shows what there is",
      });
    },
  };
}

function post(
  url: URL,
  headers: Record<string, string>,
  body: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? secureRequest : request;
    const sent = send(url, { method: "POST", headers, timeout: 30_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
      response.on("error", reject);
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer within 30 s")));
    sent.on("error", (cause) => {
      reject(
        new TranshipError("E_CLUSTER_UNREACHABLE", `${url.href}: ${cause.message}`, {
          hint: "is `tranship cluster serve` running?",
          cause,
        }),
      );
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
