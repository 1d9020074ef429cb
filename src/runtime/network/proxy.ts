// native/proxy, for ports on IPv6 that rules cannot lead to an instance: from [::1], which the kernel does not forward, and to an instance
// without IPv6. One for each instance that needs it. It ends by itself with the network of the instance; network/proxies/ID names its
// process, for those who end it before.
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { readText, writeFileAtomic } from "../../host/files.ts";
import { processAlive, processStartTime } from "../../host/lock.ts";
import { nativePath } from "../../host/native.ts";
import { childProcess, spawnError } from "../../host/process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { pause } from "../processes.ts";
import type { Attachment } from "../record.ts";
import { deviceName } from "./devices.ts";
import { isAny, isSix, type PublishedPort } from "./ports.ts";
import type { Publishing } from "./publish.ts";

export function needsProxy(port: PublishedPort, { address6 }: Attachment): boolean {
  return isSix(port) && (address6 === null || isAny(port) || port.hostAddress === "::1");
}

function directoryOf(root: StateRoot): string {
  return join(root.path, "network/proxies");
}

/** Returns when all ports are open. E_NETWORK in its words. */
export async function startProxy(
  { root, id, starter }: Publishing,
  front: Attachment,
  ports: readonly PublishedPort[],
): Promise<void> {
  const words = ports.flatMap((port) => [
    port.protocol,
    // Others than [::1] are led by the rules where the instance has IPv6.
    front.address6 !== null && isAny(port) ? "::1" : port.hostAddress,
    String(port.hostPort),
    `${front.address6 ?? front.address},${port.containerPort}`,
  ]);
  const args = [deviceName(id, front.index), String(starter), ...words];
  const child = childProcess().spawn(nativePath("proxy"), args, {
    cwd: "/",
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {},
  });
  const said = await new Promise<string>((resolve, reject) => {
    let errors = "";
    child.on("error", (cause) => reject(spawnError("proxy", cause)));
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.stdout.once("data", () => resolve(""));
    child.once("close", () => resolve(errors === "" ? "it ended" : errors));
  });
  child.stdout.destroy();
  child.stderr.destroy();
  child.unref();
  const startTime = child.pid === undefined ? undefined : processStartTime(child.pid);
  if (said === "" && child.pid !== undefined && startTime !== undefined) {
    mkdirSync(directoryOf(root), { recursive: true, mode: 0o700 });
    step("note the proxy");
    writeFileAtomic(join(directoryOf(root), id), `${child.pid} ${startTime}\n`, { volatile: true });
    return;
  }
  throw new TranshipError(
    "E_NETWORK",
    `ports on IPv6 cannot be published: ${said.trim().replace(/^proxy: /, "")}`,
    {
      hint: "choose another port, or an IPv4 address of the host",
    },
  );
}

/** Where there is one. */
export async function stopProxy(root: StateRoot, id: string): Promise<void> {
  const path = join(directoryOf(root), id);
  const [pid = "", startTime = ""] = (readText(path) ?? "").trim().split(" ");
  if (pid === "") return;
  step("stop the proxy");
  if (processAlive(Number(pid), startTime)) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {} // it has just ended
    while (processAlive(Number(pid), startTime)) await pause(2);
  }
  rmSync(path, { force: true });
}

/** What is left of instances whose ports nobody has any more. */
export async function sweepProxies(root: StateRoot, alive: (id: string) => boolean): Promise<void> {
  let ids: string[];
  try {
    ids = readdirSync(directoryOf(root));
  } catch {
    return;
  }
  for (const id of ids) if (!alive(id)) await stopProxy(root, id);
}
