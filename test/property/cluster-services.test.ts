// Whatever is done to a service, once nothing more happens the tasks that run are those that are wanted, and a singleton was never there twice.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SimulatedCluster } from "../support/simulated-cluster.ts";
import { type Trouble, TroubledCluster, trouble, well } from "../support/simulated-trouble.ts";

const runs = process.env.TRANSHIP_SOAK === "1" ? 10_000 : 300;

type Step =
  | { do: "scale"; count: number }
  | { do: "update"; good: boolean; breaker: boolean }
  | { do: "protect"; which: number }
  | Trouble;

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("scale" as const), count: fc.nat(5) }),
  fc.record({ do: fc.constant("update" as const), good: fc.boolean(), breaker: fc.boolean() }),
  fc.record({ do: fc.constant("protect" as const), which: fc.nat(9) }),
  { weight: 5, arbitrary: trouble(9, 400) },
);

test("services come to what is wanted of them", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1 }),
      fc.boolean(),
      fc.array(step, { maxLength: 25 }),
      async (seed, singleton, steps) => {
        const world = new World(seed, singleton);
        try {
          await world.begin();
          for (const each of steps) await world.take(each);
          await world.rest();
        } finally {
          world.cluster.close();
        }
      },
    ),
    { numRuns: runs },
  );
});

class World {
  readonly cluster: SimulatedCluster;
  readonly #singleton: boolean;
  #wanted = 1;
  readonly #trouble: TroubledCluster;

  constructor(seed: number, singleton: boolean) {
    this.#singleton = singleton;
    this.cluster = new SimulatedCluster(seed, 3, ({ family }) => (family === "bad" ? "fails" : "runs"));
    this.#trouble = new TroubledCluster(this.cluster);
  }

  async begin(): Promise<void> {
    const { cluster } = this;
    await cluster.open();
    cluster.call("CreateCluster", {});
    for (const family of ["good", "bad"])
      for (let revision = 0; revision < 2; revision++)
        cluster.call("RegisterTaskDefinition", {
          family,
          containerDefinitions: [
            { name: "main", image: "box:1", memory: 100, cpu: 10, portMappings: [{ containerPort: 80 }] },
          ],
        });
    cluster.call("CreateService", {
      serviceName: "s",
      taskDefinition: "good:1",
      desiredCount: 1,
      deploymentConfiguration: this.#bounds(false),
    });
    this.#check();
  }

  #bounds(breaker: boolean): object {
    const percents = this.#singleton
      ? { minimumHealthyPercent: 0, maximumPercent: 100 }
      : { minimumHealthyPercent: 50, maximumPercent: 200 };
    return { ...percents, deploymentCircuitBreaker: { enable: breaker, rollback: breaker } };
  }

  async take(step: Step): Promise<void> {
    const { cluster } = this;
    const ids = [...cluster.driver.tasks.keys()];
    switch (step.do) {
      case "scale":
        this.#wanted = this.#singleton ? Math.min(step.count, 1) : step.count;
        cluster.call("UpdateService", { service: "s", desiredCount: this.#wanted });
        break;
      case "update":
        cluster.call("UpdateService", {
          service: "s",
          taskDefinition: step.good ? "good" : "bad",
          forceNewDeployment: true,
          deploymentConfiguration: this.#bounds(step.breaker),
        });
        break;
      case "protect":
        if (ids.length > 0)
          cluster.call("UpdateTaskProtection", {
            cluster: "default",
            tasks: [ids[step.which % ids.length] ?? ""],
            protectionEnabled: true,
            expiresInMinutes: 5,
          });
        break;
      default:
        await this.#trouble.take(step);
    }
    this.#check();
  }

  /** What must hold at any time. */
  #check(): void {
    const live = this.#trouble.live();
    if (this.#singleton) assert.ok(live.length <= 1, `${live.length} copies of a singleton`);
    for (const instance of this.cluster.state.instance.all()) {
      const taken = this.cluster.control.occupancy.ofNode(instance.node);
      assert.ok(taken.memory <= instance.memory && taken.cpu <= instance.cpu && taken.cpu >= 0);
    }
  }

  /** All nodes are well, a good version is asked for, and time passes. */
  async rest(): Promise<void> {
    const { cluster } = this;
    for (const each of well) await this.take(each);
    await this.take({ do: "update", good: true, breaker: true });
    cluster.advance(3_600_000);
    const running = [...cluster.driver.tasks.values()].filter(({ seen }) => seen.lastStatus === "RUNNING");
    assert.equal(running.length, this.#wanted);
    const { services = [] } = cluster.call("DescribeServices", { services: ["s"] }) as {
      services?: { runningCount: number; pendingCount: number; deployments: { rolloutState: string }[] }[];
    };
    assert.equal(services[0]?.runningCount, this.#wanted);
    assert.equal(services[0]?.pendingCount, 0);
    assert.deepEqual(
      services[0]?.deployments.map(({ rolloutState }) => rolloutState),
      ["COMPLETED"],
    );
  }
}
