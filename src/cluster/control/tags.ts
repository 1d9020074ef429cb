// Tags, and the operations on them: of clusters, task definitions, tasks, services, container instances and capacity providers.
import { clientError, EcsError, invalidParameter } from "../api/ecs-error.ts";
import type {
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  Tag,
  TagResourceRequest,
  UntagResourceRequest,
} from "../api/shapes.ts";
import type { Call } from "./control.ts";

const most = 50;

/** Throws what is wrong with tags that a caller gives. */
export function checkTags(tags: readonly Tag[] | undefined): Tag[] {
  const seen = new Set<string>();
  for (const { key = "", value = "" } of tags ?? []) {
    if (key === "" || key.length > 128) throw invalidParameter("A tag key has 1 to 128 characters.");
    if (value.length > 256)
      throw invalidParameter(`The value of the tag ${key} is longer than 256 characters.`);
    if (/^aws:/i.test(key)) throw invalidParameter(`The tag ${key}: keys that begin with aws: are reserved.`);
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(key + value))
      throw invalidParameter(`The tag ${key} has characters that are not allowed.`);
    if (seen.has(key)) throw invalidParameter(`The tag key ${key} is given twice.`);
    seen.add(key);
  }
  if (seen.size > most) throw invalidParameter(`A resource has at most ${most} tags, not ${seen.size}.`);
  return (tags ?? []).map(({ key, value }) => ({ key, value: value ?? "" }));
}

export function tagResource(call: Call, input: TagResourceRequest): Record<string, never> {
  const holder = holderOf(call, input.resourceArn);
  const added = checkTags(input.tags);
  const names = new Set(added.map(({ key }) => key));
  const all = [...holder.tags().filter(({ key }) => !names.has(key)), ...added];
  if (all.length > most) throw invalidParameter(`A resource has at most ${most} tags, not ${all.length}.`);
  holder.set(all);
  return {};
}

export function untagResource(call: Call, input: UntagResourceRequest): Record<string, never> {
  const holder = holderOf(call, input.resourceArn);
  const reserved = input.tagKeys.find((key) => /^aws:/i.test(key));
  if (reserved !== undefined)
    throw invalidParameter(`The tag ${reserved}: keys that begin with aws: are reserved.`);
  holder.set(holder.tags().filter(({ key }) => !input.tagKeys.includes(key ?? "")));
  return {};
}

export function listTagsForResource(
  call: Call,
  input: ListTagsForResourceRequest,
): ListTagsForResourceResponse {
  return { tags: holderOf(call, input.resourceArn).tags() };
}

interface Holder {
  tags(): Tag[];
  set(tags: Tag[]): void;
}

function holderOf({ control: { state } }: Call, arn: string): Holder {
  const [, kind = "", path = ""] = /^arn:[^:]+:ecs:[^:]*:[^:]*:([a-z-]+)\/(.+)$/.exec(arn) ?? [];
  const last = path.split("/").at(-1) ?? "";
  switch (kind) {
    case "cluster":
      return onWire(state.cluster, path) ?? missing("ClusterNotFoundException", "Cluster not found.");
    case "task-definition":
      return (
        beside(state.definition, path) ??
        missing("ClientException", "The specified task definition does not exist.")
      );
    case "task":
      return (
        onWire(state.task, last) ?? missing("InvalidParameterException", "The specified task does not exist.")
      );
    case "container-instance":
      return (
        onWire(state.instance, last) ??
        missing("InvalidParameterException", "The specified container instance does not exist.")
      );
    case "capacity-provider":
      return (
        onWire(state.capacityProvider, path) ??
        missing("ResourceNotFoundException", "The specified capacity provider does not exist.")
      );
    case "service":
      return beside(state.service, path) ?? missing("ServiceNotFoundException", "Service not found.");
    default:
      throw clientError(`Invalid resource ARN: ${arn.slice(0, 200)}`);
  }
}

interface Holders<T> {
  get(key: string): T | undefined;
  put(value: T): void;
}

function onWire<T extends { wire: { tags?: Tag[] | undefined } }>(
  all: Holders<T>,
  key: string,
): Holder | undefined {
  const found = all.get(key);
  if (found === undefined) return undefined;
  return {
    tags: () => found.wire.tags ?? [],
    set: (tags) => {
      found.wire.tags = tags;
      all.put(found);
    },
  };
}

function beside<T extends { tags: Tag[] }>(all: Holders<T>, key: string): Holder | undefined {
  const found = all.get(key);
  if (found === undefined) return undefined;
  return {
    tags: () => found.tags,
    set: (tags) => {
      found.tags = tags;
      all.put(found);
    },
  };
}

function missing(type: string, message: string): never {
  throw new EcsError(type, message);
}
