// Pages of a web server as bytes, asked for as the exercise inside asked: the same Host header, whatever the port outside.
import { type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import { TranshipError } from "../../base/errors.ts";

export interface Page {
  status: number;
  body: Buffer;
}

export interface Asked {
  port: number;
  path: string;
  /** Sent as a form by POST; else GET. */
  form?: string;
}

const patience = 60_000;
const largest = 16 << 20;

export function fetchPage({ port, path, form }: Asked): Promise<Page> {
  const headers = {
    host: "127.0.0.1",
    ...(form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
  };
  return new Promise((resolve, reject) => {
    const method = form === undefined ? "GET" : "POST";
    const asked = request({
      host: "127.0.0.1",
      port,
      path,
      method,
      headers,
      agent: false,
      timeout: patience,
    });
    asked.on("timeout", () => asked.destroy(new Error(`no answer in ${patience / 1000} s`)));
    asked.on("error", (cause) => reject(pageError(port, path, cause)));
    asked.on("response", (answer) => {
      collect(answer).then(resolve, (cause: unknown) => reject(pageError(port, path, cause)));
    });
    asked.end(form);
  });
}

async function collect(answer: IncomingMessage): Promise<Page> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer) {
    size += (part as Buffer).length;
    if (size > largest) throw new Error(`the answer is larger than ${largest} bytes`);
    parts.push(part as Buffer);
  }
  return { status: answer.statusCode ?? 0, body: Buffer.concat(parts) };
}

function pageError(port: number, path: string, cause: unknown): TranshipError {
  return new TranshipError(
    "E_TEST_FAILED",
    `http://127.0.0.1:${port}${path} does not answer: ${(cause as Error).message}`,
    { cause },
  );
}

/** Waits until a server answers, however. */
export async function waitForAnswer(port: number, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + patience;
  for (;;) {
    signal.throwIfAborted();
    try {
      await fetchPage({ port, path: "/" });
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Ports of this host on which nothing listens, from `first` on. */
export async function freePorts(count: number, first: number): Promise<number[]> {
  const found: number[] = [];
  for (let port = first; found.length < count && port < 65_536; port++)
    if (await isFree(port)) found.push(port);
  return found;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "0.0.0.0", () => server.close(() => resolve(true)));
  });
}
