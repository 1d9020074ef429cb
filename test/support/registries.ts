// Registries for tests, on loopback: Debian's docker-registry, and servers that answer as a test tells them.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { freePort } from "./free-port.ts";

export const needsDockerRegistry: { skip: string | false } = {
  skip: existsSync("/usr/bin/docker-registry") ? false : "needs docker-registry",
};

export interface RunningRegistry {
  /** "127.0.0.1:PORT" */
  host: string;
  directory: string;
}

/** True when something listens; false when the process has ended. */
async function listens(child: ChildProcess, port: number): Promise<boolean> {
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) return false;
    const socket = connect(port, "127.0.0.1");
    const open = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "error").then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (open) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** `extra`: more of its configuration, in YAML; `http`: more of its section http. Ended and removed after the test. */
export async function dockerRegistry(t: TestContext, extra = "", http = ""): Promise<RunningRegistry> {
  const directory = mkdtempSync(join(tmpdir(), "tranship-registry-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (let tries = 0; tries < 5; tries++) {
    const port = await freePort();
    const config = join(directory, "config.yml");
    writeFileSync(
      config,
      `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${directory}/data}, delete: {enabled: true}}\nhttp: {addr: "127.0.0.1:${port}", secret: x${http}}\n${extra}`,
    );
    const child = spawn("docker-registry", ["serve", config], { stdio: "ignore" });
    t.after(() => child.kill("SIGKILL"));
    // Another process may have taken the port in between: then it ends.
    if (await listens(child, port)) return { host: `127.0.0.1:${port}`, directory };
  }
  throw new Error("docker-registry does not start");
}

export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
) => void | Promise<void>;

export interface ScriptedServer {
  host: string;
  /** "GET /v2/", one for each request, in order. */
  requests: { line: string; headers: IncomingMessage["headers"] }[];
  server: Server;
}

/** A server that answers as `handler` says. */
export async function scriptedServer(t: TestContext, handler: Handler): Promise<ScriptedServer> {
  const requests: ScriptedServer["requests"] = [];
  const server = createServer((request, response) => {
    requests.push({ line: `${request.method} ${request.url}`, headers: request.headers });
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => {});
    request.on("end", () => void handler(request, response, Buffer.concat(chunks)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests, server };
}

/** A certificate for 127.0.0.1 and localhost, its authority, and one for a client; all in `directory`. */
export function makeCertificates(directory: string): void {
  mkdirSync(directory, { recursive: true });
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...key,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-days",
    "30",
    "-subj",
    "/CN=Test CA",
  );
  writeFileSync(join(directory, "names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  for (const name of ["server", "client"]) {
    openssl("req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const sign = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"];
    openssl("x509", "-req", "-in", `${name}.csr`, ...sign, "-out", `${name}.cert`, "-extfile", "names");
  }
}
