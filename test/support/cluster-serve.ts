// `tranship cluster serve` as a process in a fixture's own namespaces, and the vendor's SDK as its client from outside of them.

import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { Agent } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { ECSClient } from "@aws-sdk/client-ecs";
import { accessKeys } from "../../src/cluster/keys.ts";
import { programWords } from "../integration/runtime-fixture.ts";

export interface Served {
  client: ECSClient;
  url: string;
  child: ChildProcess;
  /** What it said. */
  words(): string;
  /** Ends it by a signal and waits. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** In the namespace: carries a UNIX socket to the port that is told. */
const bridge = `const net = require("node:net");
net.createServer((near) => {
  const far = net.connect(Number(process.argv[2]), process.argv[3]);
  near.pipe(far).pipe(near);
  for (const side of [near, far]) side.on("error", () => { near.destroy(); far.destroy(); });
}).listen(process.argv[1], () => console.log("ready"));`;

/** Where a control plane is started; a Fixture is one. */
export interface Place {
  root: { path: string };
  /** Words that bring a command into its namespaces. */
  enter: readonly string[];
  /** Where it listens. Default: loopback. */
  listen?: string;
}

export async function serveCluster(place: Place, ...more: string[]): Promise<Served> {
  const { enter: inside, listen = "127.0.0.1:0", root } = place;
  const env = { ...process.env, TRANSHIP_ROOT: root.path, TRANSHIP_NETWORK_LINGER: "0" };
  const [program = "", ...words] = [
    ...inside,
    ...programWords(false),
    "cluster",
    "serve",
    "--listen",
    listen,
    ...more,
  ];
  const child = spawn(program, words, { env, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  const [host, port] = await new Promise<[string, string]>((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const found = /ready at http:\/\/([0-9.]+):(\d+)/.exec(said);
      if (found !== null) resolve([found[1] ?? "", found[2] ?? ""]);
    });
    child.once("exit", (code) => reject(new Error(`cluster serve ended with ${code}: ${said}`)));
  });
  const path = join(root.path, `api-${port}.sock`);
  rmSync(path, { force: true });
  const [enter = "", ...entered] = [...inside, process.execPath, "-e", bridge, path, port, host];
  const carrier = spawn(enter, entered, { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => carrier.stdout.once("data", resolve));
  const agent = new Agent({ keepAlive: true });
  agent.createConnection = () => connect(path) as Socket;
  const [key] = accessKeys(root.path);
  const client = new ECSClient({
    endpoint: `http://${host}:${port}`,
    region: "eu-test-1",
    credentials: key ?? { accessKeyId: "", secretAccessKey: "" },
    requestHandler: { httpAgent: agent },
    maxAttempts: 1,
  });
  return {
    client,
    url: `http://${host}:${port}`,
    child,
    words: () => said,
    end: async (signal) => {
      client.destroy();
      const gone = [child, carrier].map((each) => new Promise((resolve) => each.once("exit", resolve)));
      if (child.exitCode === null) child.kill(signal);
      carrier.kill("SIGKILL");
      await Promise.all(gone);
    },
  };
}
