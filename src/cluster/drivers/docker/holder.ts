// The container that holds the network of a task: the others come and go, its addresses stay.
import { sharedMac } from "../../own-labels.ts";
import { aliasesOf, taskLabels } from "../containers.ts";
import type { TaskSpec } from "../driver.ts";
import { hosts, macAddress } from "./container-spec.ts";
import { joinEndpoint } from "./endpoint-place.ts";
import type { Engine } from "./engine.ts";
import { startHolding } from "./overlay-network.ts";
import { pauseImage } from "./pause-image.ts";

/** The engine's own: it is always there, and knows no names. */
export const defaultNetwork = "bridge";

export interface Holder {
  name: string;
  network: string;
  /** Whether there is an endpoint that the task can ask. */
  endpoint: boolean;
}

/** Starts it where it does not run. EngineError as the engine says. */
export async function startHolder(
  engine: Engine,
  spec: TaskSpec,
  { name, network, endpoint }: Holder,
): Promise<void> {
  const [first] = spec.definition.containerDefinitions ?? [];
  const body = async (): Promise<object> => ({
    Image: await pauseImage(engine),
    User: "0",
    Hostname: first?.hostname ?? spec.id.slice(0, 12),
    ...macAddress(sharedMac(spec.definition)),
    Labels: { ...taskLabels(spec, { name: "" }), "com.tranship.holder": "true" },
    ...(network === defaultNetwork
      ? {}
      : { NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: aliasesOf(spec) } } } }),
    HostConfig: { NetworkMode: network, RestartPolicy: { Name: "no" }, ...hosts(spec.definition) },
  });
  await startHolding(engine, name, body, async (id) => {
    if (endpoint) await joinEndpoint(engine, id);
  });
}
