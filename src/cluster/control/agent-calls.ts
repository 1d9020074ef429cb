// What the agent of a node calls besides RegisterContainerInstance. Tasks are driven by the drivers, so that a state change told here is only acknowledged
// where it says what is known.
import { EcsError } from "../api/ecs-error.ts";
import type {
  DiscoverPollEndpointResponse,
  ListServicesByNamespaceResponse,
  SubmitTaskStateChangeResponse as SubmitStateChangeResponse,
  UpdateContainerAgentRequest,
} from "../api/shapes.ts";
import type { Call } from "./control.ts";
import { clusterOf, idOf } from "./names.ts";

export function discoverPollEndpoint(call: Call): DiscoverPollEndpointResponse {
  return { endpoint: call.endpoint, telemetryEndpoint: call.endpoint };
}

export function submitStateChange(
  call: Call,
  input: { cluster?: string | undefined; task?: string | undefined },
): SubmitStateChangeResponse {
  clusterOf(call.control.state, input.cluster);
  if (input.task !== undefined && call.control.state.task.get(idOf(input.task, "task")) === undefined)
    throw new EcsError("ClientException", "The referenced task was not found.");
  return { acknowledgment: "ACK" };
}

/** The agent is part of this product and is updated with it. */
export function updateContainerAgent(call: Call, input: UpdateContainerAgentRequest): never {
  const cluster = clusterOf(call.control.state, input.cluster);
  const instance = call.control.state.instance.get(idOf(input.containerInstance, "container-instance"));
  if (instance === undefined || instance.cluster !== cluster.name)
    throw new EcsError("InvalidParameterException", "The referenced container instance was not found.");
  throw new EcsError("NoUpdateAvailableException", "There is no update available for your container agent.");
}

/** Namespaces of a service mesh: there are none here, so no service is in one. */
export function listServicesByNamespace(): ListServicesByNamespaceResponse {
  return { serviceArns: [] };
}
