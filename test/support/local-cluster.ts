// A control plane that runs tasks on this machine, by our runtime in a fixture of its own, and what tests do with it by the vendor's SDK.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  type ContainerDefinition,
  CreateClusterCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  type ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type Service,
  type Task,
} from "@aws-sdk/client-ecs";
import {
  type Fixture,
  makeFixture,
  makePackage,
  programWords,
  until,
} from "../integration/runtime-fixture.ts";
import { type Served, serveCluster } from "./cluster-serve.ts";

/** For waiters. */
export const quick = { minDelay: 1, maxDelay: 1, maxWaitTime: 120 };

/** What a definition says besides its containers. */
type More = Omit<RegisterTaskDefinitionCommand["input"], "family" | "containerDefinitions">;

export class LocalCluster {
  readonly fixture: Fixture;
  served: Served;

  constructor(fixture: Fixture, served: Served) {
    this.fixture = fixture;
    this.served = served;
  }

  get client(): ECSClient {
    return this.served.client;
  }

  /** A new control plane in place of the one that has been ended. */
  async serve(...options: string[]): Promise<void> {
    this.served = await serveCluster(this.fixture, ...options);
  }

  /** Of the image box:1 and with 32 MiB, where nothing else is said. */
  readonly define = (family: string, ...containers: ContainerDefinition[]): Promise<void> =>
    this.defineWith({}, family, ...containers);

  readonly defineWith = async (
    more: More,
    family: string,
    ...containers: ContainerDefinition[]
  ): Promise<void> => {
    const containerDefinitions = containers.map((each) => ({ image: "box:1", memory: 32, ...each }));
    await this.client.send(new RegisterTaskDefinitionCommand({ ...more, family, containerDefinitions }));
  };

  readonly see = async (task: string): Promise<Task> => {
    const { tasks } = await this.client.send(new DescribeTasksCommand({ tasks: [task], include: ["TAGS"] }));
    assert.ok(tasks?.[0] !== undefined, `no task ${task}`);
    return tasks[0];
  };

  /** Its ARN. */
  readonly runOne = async (family: string, more: object = {}): Promise<string> => {
    const { tasks, failures } = await this.client.send(
      new RunTaskCommand({ taskDefinition: family, ...more }),
    );
    assert.deepEqual(failures, []);
    return tasks?.[0]?.taskArn ?? "";
  };

  readonly become = async (task: string, status: string): Promise<Task> => {
    await until(async () => (await this.see(task)).lastStatus === status);
    return this.see(task);
  };

  readonly service = async (name: string): Promise<Service> => {
    const { services } = await this.client.send(new DescribeServicesCommand({ services: [name] }));
    assert.ok(services?.[0] !== undefined, `no service ${name}`);
    return services[0];
  };

  readonly tasksOf = async (serviceName: string): Promise<Task[]> => {
    const { taskArns = [] } = await this.client.send(new ListTasksCommand({ serviceName }));
    if (taskArns.length === 0) return [];
    return (await this.client.send(new DescribeTasksCommand({ tasks: taskArns }))).tasks ?? [];
  };

  /** The name of its instance. */
  readonly nameOf = (task: string, container: string): string =>
    `ecs-${task.split("/").at(-1)?.slice(0, 12)}-${container}`;

  readonly logsOf = async (task: string, container: string): Promise<string> =>
    (await this.fixture.cli(["logs", this.nameOf(task, container)])).stdout;

  async close(): Promise<void> {
    await this.served.end("SIGTERM");
    const left = (await this.fixture.cli(["ps", "-aq"])).stdout.split("\n").filter(Boolean);
    if (left.length > 0) await this.fixture.cli(["rm", "-f", ...left]);
    await this.fixture.remove();
  }
}

/** With the package box:1 and the cluster `default`. `options` of `cluster serve`, which may depend on where it is. */
export async function makeLocalCluster(
  options: (fixture: Fixture) => string[] = () => [],
): Promise<LocalCluster> {
  const fixture = await makeFixture();
  try {
    await makePackage(fixture.root, "box:1");
    const cluster = new LocalCluster(fixture, await serveCluster(fixture, ...options(fixture)));
    await cluster.client.send(new CreateClusterCommand({}));
    return cluster;
  } catch (error) {
    await fixture.remove();
    throw error;
  }
}

export interface LocalRegistry {
  /** HOST:PORT, in the fixture. */
  host: string;
  end(): Promise<void>;
}

/** Of wget. */
const notLoggedIn = 6;

/** `registry serve` of the fixture's store, which has box:1. */
export async function startRegistry(fixture: Fixture, ...options: string[]): Promise<LocalRegistry> {
  const host = "127.0.0.1:5999";
  const [enter = "", ...words] = [...fixture.enter, ...programWords(false), "registry", "serve"];
  const child = spawn(enter, [...words, "--listen", host, ...options], {
    env: { ...process.env, TRANSHIP_ROOT: fixture.root.path },
    stdio: "ignore",
  });
  // It answers, be it that it wants a name and a password.
  const asked = ["wget", "-q", "-O", "-", `http://${host}/v2/`];
  await until(async () => {
    assert.equal(child.exitCode, null, "registry serve has ended");
    const { status } = await fixture.inside(asked);
    return status === 0 || status === notLoggedIn;
  });
  return {
    host,
    end: async () => {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    },
  };
}
