// A call that is refused changes nothing, whatever it asks for; and no call fails in another way than by an exception of the API.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EcsError } from "../../src/cluster/api/ecs-error.ts";
import model from "../../src/cluster/api/model.json" with { type: "json" };
import { operationNames } from "../../src/cluster/api/model.ts";
import { Collection } from "../../src/cluster/state/collection.ts";
import { SimulatedCluster } from "../support/simulated-cluster.ts";

const runs = process.env.TRANSHIP_SOAK === "1" ? 5_000 : 300;

type Type = string | { list: Type } | { map: Type } | { ref: string } | { enum: string };
type Structures = Record<string, { members: Record<string, Type>; required: string[] }>;

const structures = model.structures as unknown as Structures;
const enums = model.enums as Record<string, string[]>;
const operations = model.operations as Record<string, { input: string }>;

test("what is refused changes nothing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { minLength: 400, maxLength: 400 }), async (choices) => {
      const world = await World.make();
      try {
        const chosen = new Choices(choices);
        while (!chosen.spent) world.take(chosen);
      } finally {
        world.cluster.close();
      }
    }),
    { numRuns: runs, endOnFailure: true },
  );
});

/** Decisions in order; 0 once they are spent. */
class Choices {
  readonly #numbers: readonly number[];
  #at = 0;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  get spent(): boolean {
    return this.#at >= this.#numbers.length;
  }

  below(most: number): number {
    return (this.#numbers[this.#at++] ?? 0) % most;
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

class World {
  readonly cluster = new SimulatedCluster(7, 3, () => "runs");

  static async make(): Promise<World> {
    const world = new World();
    const { cluster } = world;
    await cluster.open();
    cluster.call("CreateCluster", {});
    for (let revision = 0; revision < 2; revision++)
      cluster.call("RegisterTaskDefinition", {
        family: "web",
        containerDefinitions: [
          { name: "main", image: "box:1", memory: 10, portMappings: [{ containerPort: 80 }] },
        ],
      });
    cluster.call("CreateCapacityProvider", {
      name: "own",
      autoScalingGroupProvider: { autoScalingGroupArn: "arn:x" },
    });
    for (const [serviceName, more] of [
      ["web", { desiredCount: 2, taskDefinition: "web" }],
      ["each", { schedulingStrategy: "DAEMON", taskDefinition: "web" }],
      ["outside", { desiredCount: 1, deploymentController: { type: "EXTERNAL" } }],
    ] as const)
      cluster.call("CreateService", { serviceName, ...more });
    cluster.call("CreateTaskSet", { cluster: "default", service: "outside", taskDefinition: "web" });
    return world;
  }

  take(chosen: Choices): void {
    const { cluster } = this;
    const operation = chosen.of(operationNames);
    const input = this.#structure(operations[operation]?.input ?? "", chosen, 0);
    const before = this.#all();
    try {
      cluster.call(operation, input);
    } catch (error) {
      const asked = `${operation} ${JSON.stringify(input)}`;
      assert.ok(error instanceof EcsError, `${asked}: ${error instanceof Error ? error.stack : error}`);
      const changed = this.#all().filter((text) => !before.includes(text));
      assert.deepEqual(changed, [], `${asked}: ${error.message}`);
      assert.equal(this.#all().length, before.length, `${asked}: ${error.message}`);
    }
    if (chosen.below(3) === 0) cluster.advance(5000);
  }

  /** Everything that is remembered, as it would be written. */
  #all(): string[] {
    return Object.entries(this.cluster.state).flatMap(([kind, value]) =>
      value instanceof Collection
        ? [...value.keys()].map((key) => `${kind} ${key} ${JSON.stringify(value.get(key))}`)
        : [],
    );
  }

  #structure(name: string, chosen: Choices, depth: number): Record<string, unknown> {
    const { members = {}, required = [] } = structures[name] ?? {};
    const made: Record<string, unknown> = {};
    for (const [key, type] of Object.entries(members)) {
      const wanted = required.includes(key) || chosen.below(depth === 0 ? 3 : 6) === 0;
      if (wanted && depth < 4) made[key] = this.#value(key, type, chosen, depth);
    }
    return made;
  }

  #value(key: string, type: Type, chosen: Choices, depth: number): unknown {
    if (typeof type === "string") {
      if (type === "boolean") return chosen.below(2) === 0;
      if (type === "string") return this.#text(key, chosen);
      return chosen.of([1, 0, 2, 50, 100, 200, -1, 0.5, 301, 1e9]);
    }
    if ("list" in type)
      return Array.from({ length: chosen.below(4) }, () => this.#value(key, type.list, chosen, depth));
    if ("map" in type) return { key: this.#value(key, type.map, chosen, depth) };
    if ("enum" in type) return chosen.of(enums[type.enum] ?? []);
    return this.#structure(type.ref, chosen, depth + 1);
  }

  /** Of what there is, mostly. */
  #text(key: string, chosen: Choices): string {
    const { state } = this.cluster;
    const all = [
      () => [...state.service.all()].map(({ name }) => name),
      () => ["web", "web:1", "web:2"],
      () => [...state.task.all()].map(({ wire }) => wire.taskArn),
      () => [...state.instance.all()].map(({ wire }) => wire.containerInstanceArn ?? ""),
      () => [...state.serviceDeployment.all()].map(({ wire }) => wire.serviceDeploymentArn ?? ""),
      () => [...state.taskSet.all()].map(({ id }) => id),
      () => [
        "own",
        "FARGATE",
        "default",
        "main",
        "",
        "no such thing",
        "arn:aws:ecs:r:0:cluster/x",
        "aws:x",
        "256",
      ],
    ];
    const likely: Record<string, number> = {
      service: 0,
      services: 0,
      serviceName: 0,
      taskDefinition: 1,
      taskDefinitions: 1,
      task: 2,
      tasks: 2,
      containerInstance: 3,
      containerInstances: 3,
      targetId: 3,
      serviceDeploymentArn: 4,
      serviceDeploymentArns: 4,
      taskSet: 5,
      primaryTaskSet: 5,
    };
    if (/^clusters?$/.test(key) && chosen.below(5) > 0) return "default";
    const which = chosen.below(5) > 0 ? (likely[key] ?? 6) : chosen.below(all.length);
    const texts = all[which]?.() ?? [];
    return texts.length === 0 ? "nothing" : chosen.of(texts);
  }
}
