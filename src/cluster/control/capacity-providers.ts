// Capacity providers: names to which tasks are spread by base and weight. All of them mean the container instances of the cluster.
import { clientError, EcsError, invalidParameter } from "../api/ecs-error.ts";
import type {
  CapacityProvider,
  CapacityProviderStrategyItem,
  CreateCapacityProviderRequest,
  CreateCapacityProviderResponse,
  DeleteCapacityProviderRequest,
  DeleteCapacityProviderResponse,
  DescribeCapacityProvidersRequest,
  DescribeCapacityProvidersResponse,
  Failure,
  RunTaskRequest,
  UpdateCapacityProviderRequest,
  UpdateCapacityProviderResponse,
} from "../api/shapes.ts";
import type { CapacityProviderEntity, ClusterEntity } from "../state/entities.ts";
import type { Call } from "./control.ts";
import { checkName, resource } from "./names.ts";
import { page } from "./pages.ts";
import { checkTags } from "./tags.ts";

const builtIn = ["FARGATE", "FARGATE_SPOT"];

export function createCapacityProvider(
  call: Call,
  input: CreateCapacityProviderRequest,
): CreateCapacityProviderResponse {
  const { control } = call;
  checkName(input.name, "Capacity provider name");
  if (/^(aws|ecs|fargate)/i.test(input.name))
    throw invalidParameter("A capacity provider's name may not begin with aws, ecs or fargate.");
  if (control.state.capacityProvider.get(input.name) !== undefined)
    throw clientError("A capacity provider with the specified name already exists.");
  if (input.autoScalingGroupProvider === undefined)
    throw clientError("autoScalingGroupProvider is missing; managedInstancesProvider is not supported.");
  const entity: CapacityProviderEntity = {
    name: input.name,
    wire: {
      capacityProviderArn: control.arn(call.region, "capacity-provider", input.name),
      name: input.name,
      status: "ACTIVE",
      autoScalingGroupProvider: {
        managedScaling: {
          status: "DISABLED",
          targetCapacity: 100,
          minimumScalingStepSize: 1,
          maximumScalingStepSize: 10_000,
        },
        managedTerminationProtection: "DISABLED",
        managedDraining: "ENABLED",
        ...input.autoScalingGroupProvider,
      },
      tags: checkTags(input.tags),
    },
  };
  control.state.capacityProvider.put(entity);
  return { capacityProvider: entity.wire };
}

export function describeCapacityProviders(
  call: Call,
  input: DescribeCapacityProvidersRequest,
): DescribeCapacityProvidersResponse {
  const { state } = call.control;
  const all = new Map<string, CapacityProvider>(
    builtIn.map((name) => [
      name,
      {
        name,
        status: "ACTIVE",
        capacityProviderArn: call.control.arn(call.region, "capacity-provider", name),
        tags: [],
      },
    ]),
  );
  for (const { name, wire } of state.capacityProvider.all()) all.set(name, wire);
  const asked = input.capacityProviders?.map((text) => resource(text, "capacity-provider"));
  const failures: Failure[] = (asked ?? [])
    .filter((name) => !all.has(name))
    .map((name) => ({ arn: call.control.arn(call.region, "capacity-provider", name), reason: "MISSING" }));
  const names =
    asked === undefined || asked.length === 0 ? [...all.keys()] : asked.filter((name) => all.has(name));
  const { keys, ...more } = page(
    names,
    {
      ...(input.nextToken === undefined ? {} : { nextToken: input.nextToken }),
      ...(input.maxResults === undefined ? {} : { maxResults: input.maxResults }),
    },
    { question: "DescribeCapacityProviders", most: 10 },
  );
  const withTags = input.include?.includes("TAGS");
  return {
    capacityProviders: keys.flatMap((name) => {
      const found = all.get(name);
      return found === undefined ? [] : [withTags ? found : { ...found, tags: [] }];
    }),
    failures,
    ...more,
  };
}

export function updateCapacityProvider(
  call: Call,
  input: UpdateCapacityProviderRequest,
): UpdateCapacityProviderResponse {
  const found = named(call, input.name);
  const group = found.wire.autoScalingGroupProvider;
  if (input.autoScalingGroupProvider !== undefined && group !== undefined)
    found.wire.autoScalingGroupProvider = { ...group, ...input.autoScalingGroupProvider };
  found.wire.updateStatus = "UPDATE_COMPLETE";
  call.control.state.capacityProvider.put(found);
  return { capacityProvider: found.wire };
}

export function deleteCapacityProvider(
  call: Call,
  input: DeleteCapacityProviderRequest,
): DeleteCapacityProviderResponse {
  const { state } = call.control;
  const found = named(call, resource(input.capacityProvider, "capacity-provider"));
  for (const cluster of state.cluster.all())
    if (cluster.wire.status === "ACTIVE" && cluster.wire.capacityProviders?.includes(found.name))
      throw clientError("The specified capacity provider is in use and cannot be removed.");
  state.capacityProvider.delete(found.name);
  return { capacityProvider: { ...found.wire, status: "INACTIVE", updateStatus: "DELETE_COMPLETE" } };
}

function named(call: Call, name: string): CapacityProviderEntity {
  const found = call.control.state.capacityProvider.get(name);
  if (found === undefined) throw clientError("The specified capacity provider does not exist.");
  return found;
}

/** Throws what is wrong with a strategy; `within`: the providers that the cluster has, or is about to have. */
export function checkStrategy(
  call: Call,
  strategy: readonly CapacityProviderStrategyItem[] | undefined,
  within: readonly string[],
): void {
  const items = strategy ?? [];
  const names = items.map(({ capacityProvider }) => capacityProvider);
  if (items.length > 20) throw invalidParameter("A capacity provider strategy has at most 20 items.");
  // As with the launch type FARGATE: a machine for each task is not ours to give. As a name that a cluster has it does no harm.
  const vendors = names.find((name) => builtIn.includes(name));
  if (vendors !== undefined)
    throw invalidParameter(
      `The capacity provider ${vendors} is not supported by this control plane: tasks run on the container instances of the cluster.`,
    );
  for (const name of [...within, ...names])
    if (!builtIn.includes(name) && call.control.state.capacityProvider.get(name) === undefined)
      throw new EcsError(
        "InvalidParameterException",
        `The specified capacity provider strategy cannot contain a capacity provider that does not exist: ${name.slice(0, 100)}.`,
      );
  if (!names.every((name) => within.includes(name)))
    throw invalidParameter(
      "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster and try again.",
    );
  for (const { base = 0, weight = 0 } of items) {
    if (!(weight >= 0 && weight <= 1000))
      throw invalidParameter("The weight of a capacity provider is between 0 and 1000.");
    if (!(base >= 0 && base <= 100_000))
      throw invalidParameter("The base of a capacity provider is between 0 and 100000.");
  }
  if (items.filter(({ base = 0 }) => base > 0).length > 1)
    throw invalidParameter("Only one capacity provider of a strategy has a base.");
  if (items.length > 1 && items.every(({ weight = 0 }) => weight === 0))
    throw invalidParameter("At least one capacity provider of a strategy has a weight above 0.");
}

/** Which provider each of the next `count` tasks counts for; nothing where a launch type is meant. */
export function providersFor(
  call: Call,
  cluster: ClusterEntity,
  input: Pick<RunTaskRequest, "launchType" | "capacityProviderStrategy">,
  count: number,
): (string | undefined)[] {
  const strategy =
    input.launchType !== undefined
      ? []
      : (input.capacityProviderStrategy ?? cluster.wire.defaultCapacityProviderStrategy ?? []);
  checkStrategy(call, strategy, cluster.wire.capacityProviders ?? []);
  return distribute(strategy, new Map(), count);
}

/** By base first, then so that the shares come closest to the weights. `had`: how many each has already. */
export function distribute(
  strategy: readonly CapacityProviderStrategyItem[],
  had: ReadonlyMap<string, number>,
  count: number,
): (string | undefined)[] {
  if (strategy.length === 0) return new Array<undefined>(count).fill(undefined);
  const counts = new Map(had);
  const base = strategy.find((item) => (item.base ?? 0) > 0);
  const weighted = strategy.filter(({ weight = 0 }) => weight > 0);
  const chosen: string[] = [];
  for (let index = 0; index < count; index++) {
    const needsBase = base !== undefined && (counts.get(base.capacityProvider) ?? 0) < (base.base ?? 0);
    const share = ({ capacityProvider, weight = 0 }: CapacityProviderStrategyItem): number => {
      const beyond = capacityProvider === base?.capacityProvider ? (base.base ?? 0) : 0;
      return ((counts.get(capacityProvider) ?? 0) - beyond + 1) / weight;
    };
    const next = needsBase ? base : (weighted.toSorted((a, b) => share(a) - share(b))[0] ?? strategy[0]);
    if (next === undefined) break;
    counts.set(next.capacityProvider, (counts.get(next.capacityProvider) ?? 0) + 1);
    chosen.push(next.capacityProvider);
  }
  return chosen;
}
