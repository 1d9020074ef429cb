// One call of the API, from the bytes of its body to those of the answer. Knows nothing of HTTP but what the protocol (AWS JSON 1.1) says.
import type { Call } from "../control/control.ts";
import { EcsError } from "./ecs-error.ts";
import { checkInput, operationNames, otherOperations } from "./model.ts";
import { handlers } from "./operations.ts";

const prefix = "AmazonEC2ContainerServiceV20141113.";

/** The operation that a request asks for; throws where it is none. */
export function operationOf(target: string | undefined): string {
  const name = target?.startsWith(prefix) ? target.slice(prefix.length) : "";
  if (otherOperations.has(name))
    throw new EcsError("UnsupportedFeatureException", `${name} is not supported by this control plane.`);
  if (!operationNames.includes(name)) throw new EcsError("UnknownOperationException", "");
  return name;
}

/** The answer as it stands on the wire. Throws EcsError for whatever the caller has to be told. */
export async function answer(call: Call, operation: string, body: Uint8Array): Promise<string> {
  const input = parse(body);
  checkInput(operation, input);
  const handler = handlers.get(operation);
  if (handler === undefined)
    throw new EcsError("UnsupportedFeatureException", `${operation} is not supported by this control plane.`);
  const given = withoutNull(input);
  call.control.roles?.authorize(call, operation, given);
  const output = await handler(call, given as never);
  // As it is now: the reconciler may go on before it is written down.
  const text = JSON.stringify(output);
  await call.control.state.written();
  return text;
}

/** A body with bytes that are no UTF-8 is refused. */
const decoder = new TextDecoder("utf-8", { fatal: true });

function parse(body: Uint8Array): unknown {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(body));
  } catch {
    throw new EcsError("SerializationException", "The body is not JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new EcsError("SerializationException", "The body is not a JSON object.");
  return value;
}

function withoutNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(withoutNull);
  if (typeof value !== "object" || value === null) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value))
    if (member !== null && key !== "__proto__") kept[key] = withoutNull(member);
  return kept;
}
