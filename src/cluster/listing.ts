// What a control plane has, whole: all pages of a listing, described in groups as large as a call takes.
import type {
  Cluster,
  ContainerInstance,
  DescribeClustersResponse,
  DescribeContainerInstancesResponse,
  DescribeServicesResponse,
  Service,
} from "./api/shapes.ts";
import type { ClusterClient } from "./client.ts";

/** Where the answers have the ARNs. */
const members = {
  ListClusters: "clusterArns",
  ListContainerInstances: "containerInstanceArns",
  ListServices: "serviceArns",
} as const;

type Page = { [member in (typeof members)[keyof typeof members]]?: string[] } & { nextToken?: string };

/** In the order in which the control plane lists them; undefined `cluster`: the default one. */
async function listAll(
  client: ClusterClient,
  operation: keyof typeof members,
  cluster: string | undefined,
): Promise<string[]> {
  const arns: string[] = [];
  let nextToken: string | undefined;
  do {
    // Members without a value are not sent.
    const answer = await client.call<Page>(operation, { cluster, nextToken });
    arns.push(...(answer[members[operation]] ?? []));
    nextToken = answer.nextToken;
  } while (nextToken !== undefined);
  return arns;
}

function groups(items: readonly string[], size: number): string[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}

/** `only`: that cluster alone. */
export async function allClusters(client: ClusterClient, only: string | undefined): Promise<Cluster[]> {
  const names = only === undefined ? await listAll(client, "ListClusters", undefined) : [only];
  const found: Cluster[] = [];
  for (const clusters of groups(names, 100)) {
    const seen = await client.call<DescribeClustersResponse>("DescribeClusters", { clusters });
    found.push(...(seen.clusters ?? []));
  }
  return found;
}

export async function allInstances(
  client: ClusterClient,
  cluster: string | undefined,
): Promise<ContainerInstance[]> {
  const found: ContainerInstance[] = [];
  for (const containerInstances of groups(await listAll(client, "ListContainerInstances", cluster), 100)) {
    const seen = await client.call<DescribeContainerInstancesResponse>("DescribeContainerInstances", {
      cluster,
      containerInstances,
    });
    found.push(...(seen.containerInstances ?? []));
  }
  return found;
}

export async function allServices(client: ClusterClient, cluster: string | undefined): Promise<Service[]> {
  const found: Service[] = [];
  for (const services of groups(await listAll(client, "ListServices", cluster), 10)) {
    const seen = await client.call<DescribeServicesResponse>("DescribeServices", { cluster, services });
    found.push(...(seen.services ?? []));
  }
  return found;
}
