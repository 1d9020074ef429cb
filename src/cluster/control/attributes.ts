// Operations on attributes of container instances.
import { EcsError, invalidParameter } from "../api/ecs-error.ts";
import type {
  Attribute,
  DeleteAttributesRequest,
  DeleteAttributesResponse,
  ListAttributesRequest,
  ListAttributesResponse,
  PutAttributesRequest,
  PutAttributesResponse,
} from "../api/shapes.ts";
import type { InstanceEntity } from "../state/entities.ts";
import type { Call } from "./control.ts";
import { clusterOf, idOf } from "./names.ts";
import { page } from "./pages.ts";

const most = 10;

export function putAttributes(call: Call, input: PutAttributesRequest): PutAttributesResponse {
  if (input.attributes.length > most)
    throw new EcsError(
      "AttributeLimitExceededException",
      `At most ${most} attributes can be put in one call.`,
    );
  const changed = changedBy(call, input, (attributes, attribute) => {
    check(attribute);
    const others = attributes.filter(({ name }) => name !== attribute.name);
    const custom = others.filter(
      ({ name }) => !name.startsWith("ecs.") && !name.startsWith("com.amazonaws."),
    );
    if (custom.length >= most)
      throw new EcsError(
        "AttributeLimitExceededException",
        `A container instance has at most ${most} custom attributes.`,
      );
    const { name, value } = attribute;
    return [...others, { name, ...(value === undefined ? {} : { value }) }];
  });
  keep(call, changed);
  return { attributes: input.attributes };
}

export function deleteAttributes(call: Call, input: DeleteAttributesRequest): DeleteAttributesResponse {
  const changed = changedBy(call, input, (attributes, { name }) => {
    if (!attributes.some((attribute) => attribute.name === name))
      throw new EcsError("TargetNotFoundException", `The attribute ${name.slice(0, 100)} was not found.`);
    return attributes.filter((attribute) => attribute.name !== name);
  });
  keep(call, changed);
  return { attributes: input.attributes };
}

/** What each container instance will have; nothing is changed before all of the call is known to be right. */
function changedBy(
  call: Call,
  input: { cluster?: string | undefined; attributes: readonly Attribute[] },
  change: (attributes: readonly Attribute[], attribute: Attribute) => Attribute[],
): Map<InstanceEntity, Attribute[]> {
  const changed = new Map<InstanceEntity, Attribute[]>();
  for (const attribute of input.attributes) {
    const instance = target(call, input.cluster, attribute);
    changed.set(instance, change(changed.get(instance) ?? instance.attributes, attribute));
  }
  return changed;
}

/** Services that found no place for a task may find one now. */
function keep({ control }: Call, changed: ReadonlyMap<InstanceEntity, Attribute[]>): void {
  for (const [instance, attributes] of changed) {
    instance.attributes = attributes;
    control.state.instance.put(instance);
    control.roomChanged(instance.cluster);
  }
}

export function listAttributes(call: Call, input: ListAttributesRequest): ListAttributesResponse {
  const { state } = call.control;
  const cluster = clusterOf(state, input.cluster);
  const found = new Map<string, Attribute>();
  for (const instance of state.instance.group(cluster.name)) {
    for (const { name, value } of instance.attributes) {
      if (input.attributeName !== undefined && name !== input.attributeName) continue;
      if (input.attributeValue !== undefined && value !== input.attributeValue) continue;
      const targetId = instance.wire.containerInstanceArn;
      found.set(`${name}\0${targetId}`, { name, ...(value === undefined ? {} : { value }), targetId });
    }
  }
  const { keys, ...more } = page([...found.keys()], input, { question: `ListAttributes/${cluster.name}` });
  return { attributes: keys.flatMap((key) => found.get(key) ?? []), ...more };
}

function check({ name, value = "" }: Attribute): void {
  if (!/^[A-Za-z0-9_./\\-]{1,128}$/.test(name))
    throw invalidParameter(`The attribute name ${name.slice(0, 100)} is invalid.`);
  if (!/^[A-Za-z0-9_.@:/\\ -]{0,128}$/.test(value) || value !== value.trim())
    throw invalidParameter(`The value of the attribute ${name} is invalid.`);
}

function target(
  call: Call,
  clusterText: string | undefined,
  { targetId = "", targetType }: Attribute,
): InstanceEntity {
  const cluster = clusterOf(call.control.state, clusterText);
  if (targetType !== undefined && targetType !== "container-instance")
    throw invalidParameter("Attributes have the target type container-instance.");
  const instance =
    targetId === "" ? undefined : call.control.state.instance.get(idOf(targetId, "container-instance"));
  if (instance === undefined || instance.cluster !== cluster.name)
    throw new EcsError("TargetNotFoundException", "The specified target wasn't found.");
  return instance;
}
