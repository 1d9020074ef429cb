// The container that holds the network of a task: the others come and go, its addresses stay.
//
// Where the last one on an overlay network of this node has just ended, the engine may still be taking the network away from the node while it is asked to
// bring it there again. It then says that the network is not there, keeps what it had begun for the container under its id, and waits in vain at each further
// start of it. So another container is made in its place.
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { tarEnd, tarPadding } from "../../../formats/tar.ts";
import { putTarHeader, tarBlock } from "../../../formats/tar-header.ts";
import { nativePath } from "../../../host/native.ts";
import type { ContainerDefinition } from "../../api/shapes.ts";
import { sharedMac } from "../../own-labels.ts";
import { aliasesOf, taskLabels } from "../containers.ts";
import type { TaskSpec } from "../driver.ts";
import { hosts, macAddress } from "./container-spec.ts";
import { joinEndpoint } from "./endpoint-place.ts";
import { type Engine, EngineError } from "./engine.ts";
import type { Inspected } from "./inspected.ts";

/** Where the program is put; no image has a file of that name. */
const program = ".tranship-pause";

/** Milliseconds before another one is made. */
const waits = [100, 300, 900, 2700];

export interface Holder {
  name: string;
  /** Has the image to borrow. */
  first: ContainerDefinition;
  network: string;
  /** Whether there is an endpoint that the task can ask. */
  endpoint: boolean;
}

/** Starts it where it does not run. EngineError as the engine says. */
export async function startHolder(engine: Engine, spec: TaskSpec, holder: Holder): Promise<void> {
  const known = await engine.get<Inspected>(`/containers/${holder.name}/json`);
  if (known?.State.Running) return;
  for (const wait of waits) {
    try {
      return await startAnew(engine, spec, holder);
    } catch (error) {
      if (!isBetween(error)) throw error;
      await pause(wait);
    }
  }
  await startAnew(engine, spec, holder);
}

async function startAnew(
  engine: Engine,
  spec: TaskSpec,
  { name, first, network, endpoint }: Holder,
): Promise<void> {
  await engine.delete(`/containers/${name}`, { query: { force: "1" } });
  const { Id } = await engine.post<{ Id: string }>("/containers/create", {
    query: { name },
    body: {
      // Any image does: only the program that is copied into it runs.
      Image: first.image,
      Entrypoint: [`/${program}`],
      Cmd: [],
      User: "0",
      Hostname: first.hostname ?? spec.id.slice(0, 12),
      ...macAddress(sharedMac(spec.definition)),
      Labels: { ...taskLabels(spec, { name: "" }), "com.tranship.holder": "true" },
      Healthcheck: { Test: ["NONE"] },
      // The engine's own bridge knows no names.
      ...(network === "bridge"
        ? {}
        : { NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: aliasesOf(spec) } } } }),
      HostConfig: { NetworkMode: network, RestartPolicy: { Name: "no" }, ...hosts(spec.definition) },
    },
  });
  await engine.json("PUT", `/containers/${Id}/archive`, {
    query: { path: "/" },
    raw: archiveOf(readFileSync(nativePath("pause"))),
    headers: { "Content-Type": "application/x-tar" },
  });
  if (endpoint) await joinEndpoint(engine, Id);
  await engine.post(`/containers/${Id}/start`);
}

/** Of a network that comes and goes, as above. */
function isBetween(error: unknown): boolean {
  return (
    error instanceof EngineError &&
    /^network \S+ not found|^attaching to network failed.*deadline exceeded/.test(error.message)
  );
}

function archiveOf(content: Uint8Array): Uint8Array {
  const header = new Uint8Array(tarBlock);
  const plain = { uid: 0, gid: 0, mtime: 0, type: "0", linkName: "", devMajor: 0, devMinor: 0 };
  putTarHeader({ ...plain, name: program, mode: 0o755, size: content.length }, header, 0);
  return Buffer.concat([header, content, new Uint8Array(tarPadding(content.length)), tarEnd]);
}
