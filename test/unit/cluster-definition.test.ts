// What containers need of each other: declared, by links, by borrowed volumes.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerDefinition } from "../../src/cluster/api/shapes.ts";
import { checkDefinition } from "../../src/cluster/control/check-definition.ts";
import { nextActions, type TaskState } from "../../src/cluster/drivers/supervisor.ts";

const container = (name: string, more: ContainerDefinition = {}): ContainerDefinition => ({
  name,
  image: "box:1",
  memory: 32,
  ...more,
});
const check = (...containerDefinitions: ContainerDefinition[]): void =>
  checkDefinition({ family: "f", containerDefinitions });

test("a circle is refused, by whatever way it closes", () => {
  const links = container("a", { links: ["b:other"] });
  check(links, container("b"));
  for (const back of [
    { links: ["a"] },
    { volumesFrom: [{ sourceContainer: "a" }] },
    { dependsOn: [{ containerName: "a", condition: "START" as const }] },
  ])
    assert.throws(() => check(links, container("b", back)), /in a circle: a -> b -> a/);
  assert.throws(() => check(container("a", { links: ["a"] })), /in a circle: a -> a/);
});

test("what is needed must be there", () => {
  assert.throws(() => check(container("a", { links: ["c"] })), /'a' needs 'c'/);
  assert.throws(() => check(container("a", { volumesFrom: [{ sourceContainer: "c" }] })), /'a' needs 'c'/);
});

test("what links or lends volumes starts first", () => {
  const definitions = [
    container("a", { links: ["b:other"] }),
    container("b", { volumesFrom: [{ sourceContainer: "c" }] }),
    container("c"),
  ];
  const state: TaskState = {
    createdAt: 0,
    containers: definitions.map(({ name = "" }) => ({ name, status: "PENDING", restarts: 0 })),
  };
  const order: string[] = [];
  for (let round = 0; round < 3; round++)
    for (const action of nextActions(definitions, state, 1)) {
      order.push(`${action.do} ${action.name}`);
      const one = state.containers.find(({ name }) => name === action.name);
      if (one !== undefined) Object.assign(one, { status: "RUNNING", startedAt: 1 });
    }
  assert.deepEqual(order, ["start c", "start b", "start a"]);
});
