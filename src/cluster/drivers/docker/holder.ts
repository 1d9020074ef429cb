// The container that holds the network of a task: the others come and go, its addresses stay.
import { readFileSync } from "node:fs";
import { tarEnd, tarPadding } from "../../../formats/tar.ts";
import { putTarHeader, tarBlock } from "../../../formats/tar-header.ts";
import { nativePath } from "../../../host/native.ts";
import type { ContainerDefinition } from "../../api/shapes.ts";
import { sharedMac } from "../../own-labels.ts";
import { aliasesOf, taskLabels } from "../containers.ts";
import type { TaskSpec } from "../driver.ts";
import { hosts, macAddress } from "./container-spec.ts";
import { joinEndpoint } from "./endpoint-place.ts";
import type { Engine } from "./engine.ts";
import type { Inspected } from "./inspected.ts";
import { startContainer } from "./start-container.ts";

/** Where the program is put; no image has a file of that name. */
const program = ".tranship-pause";

export interface Holder {
  name: string;
  /** Has the image to borrow. */
  first: ContainerDefinition;
  network: string;
  /** Whether there is an endpoint that the task can ask. */
  endpoint: boolean;
}

/** Starts it where it does not run. */
export async function startHolder(
  engine: Engine,
  spec: TaskSpec,
  { name, first, network, endpoint }: Holder,
): Promise<void> {
  const known = await engine.get<Inspected>(`/containers/${name}/json`);
  if (known?.State.Running) return;
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
  await startContainer(engine, Id);
}

function archiveOf(content: Uint8Array): Uint8Array {
  const header = new Uint8Array(tarBlock);
  const plain = { uid: 0, gid: 0, mtime: 0, type: "0", linkName: "", devMajor: 0, devMinor: 0 };
  putTarHeader({ ...plain, name: program, mode: 0o755, size: content.length }, header, 0);
  return Buffer.concat([header, content, new Uint8Array(tarPadding(content.length)), tarEnd]);
}
