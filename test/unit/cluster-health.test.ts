// Health checks of containers: told by what runs them, and checked from outside only where that says nothing.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { HealthCheck } from "../../src/cluster/api/shapes.ts";
import { checkDefinition } from "../../src/cluster/control/check-definition.ts";
import { containerSpec } from "../../src/cluster/drivers/docker/container-spec.ts";
import { listedHealth } from "../../src/cluster/drivers/docker/inspected.ts";
import type { TaskSpec } from "../../src/cluster/drivers/driver.ts";
import { HealthChecks } from "../../src/cluster/drivers/health-checks.ts";
import { optionsOf } from "../../src/cluster/drivers/local/instance-options.ts";

const spec = {
  id: "0".repeat(32),
  taskArn: "arn",
  cluster: "default",
  family: "f",
  revision: 1,
  definition: {},
  overrides: {},
  inputs: {},
} as unknown as TaskSpec;

test("what runs a container is believed; only its silence brings commands from outside", async (t) => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  t.after(() => mock.timers.reset());
  const warnings: string[] = [];
  const asked: (readonly string[])[] = [];
  let right = true;
  const nothing = (): void => {};
  const log = { debug: nothing, info: nothing, warn: (text: string) => warnings.push(text), error: nothing };
  const probe = (_: string, command: readonly string[]): Promise<boolean> => {
    asked.push(command);
    return Promise.resolve(right);
  };
  const health = new HealthChecks(probe, log);
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  assert.equal(health.of("a", "HEALTHY"), undefined, "of one without a check nothing is told");
  health.start("a", { command: ["CMD", "true"], interval: 2, retries: 2 });
  assert.equal(health.of("a", undefined), "UNKNOWN");
  mock.timers.tick(9000);
  assert.equal(health.of("a", "UNHEALTHY"), "UNHEALTHY");
  mock.timers.tick(9000);
  assert.equal(health.of("a", undefined), "UNHEALTHY", "as it was told last");
  assert.deepEqual([asked, warnings], [[], []]);
  mock.timers.tick(1000);
  health.of("a", undefined);
  assert.equal(warnings.length, 1);
  mock.timers.tick(2000);
  await settle();
  assert.deepEqual(asked, [["true"]]);
  assert.equal(health.of("a", undefined), "HEALTHY");
  right = false;
  for (const wanted of ["HEALTHY", "UNHEALTHY"]) {
    mock.timers.tick(2000);
    await settle();
    assert.equal(health.of("a", undefined), wanted);
  }
  // It speaks again while a command is under way, and no other follows.
  mock.timers.tick(2000);
  assert.equal(health.of("a", "HEALTHY"), "HEALTHY");
  await settle();
  mock.timers.tick(9000);
  await settle();
  assert.equal(asked.length, 4);
  assert.equal(health.of("a", undefined), "HEALTHY");
  health.close();
});

test("whoever speaks and is silent by turns has no more commands from outside than others", async (t) => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  t.after(() => mock.timers.reset());
  const under: (() => void)[] = [];
  const probe = (): Promise<boolean> => new Promise((resolve) => under.push(() => resolve(true)));
  const nothing = (): void => {};
  const health = new HealthChecks(probe, { debug: nothing, info: nothing, warn: nothing, error: nothing });
  health.start("a", { command: ["CMD", "sleep", "60"], interval: 1, timeout: 60 });
  for (let turn = 0; turn < 5; turn++) {
    health.of("a", "HEALTHY");
    mock.timers.tick(10_000);
    health.of("a", undefined);
    mock.timers.tick(1000);
  }
  assert.equal(under.length, 5);
  for (const end of under.splice(0)) end();
  await new Promise((resolve) => setImmediate(resolve));
  mock.timers.tick(1000);
  assert.equal(under.length, 1, "one goes on");
  health.close();
});

test("a check is given to init and to the engine with the defaults of the service, and one of the image is not", () => {
  const checked = { name: "main", image: "box:1", healthCheck: { command: ["CMD-SHELL", "a b"] } };
  const command = ["/bin/sh", "-c", "a b"];
  assert.deepEqual(optionsOf(spec, checked).health, {
    command,
    interval: 30_000,
    timeout: 5000,
    retries: 3,
    startPeriod: 0,
    startInterval: 30_000,
    onFailure: "none",
  });
  assert.deepEqual(containerSpec(spec, checked, undefined).Healthcheck, {
    Test: ["CMD", ...command],
    Interval: 30e9,
    Timeout: 5e9,
    Retries: 3,
    StartPeriod: 0,
  });
  const { healthCheck: _, ...plain } = checked;
  assert.deepEqual(optionsOf(spec, plain).health, { command: "none" });
  assert.deepEqual(containerSpec(spec, plain, undefined).Healthcheck, { Test: ["NONE"] });
});

test("the engine's list tells the health", () => {
  const told = (Status: string): string | undefined =>
    listedHealth({ Id: "", Names: [], State: "running", Status });
  assert.equal(told("Up 2 seconds (health: starting)"), "UNKNOWN");
  assert.equal(told("Up 2 minutes (healthy)"), "HEALTHY");
  assert.equal(told("Up About an hour (unhealthy)"), "UNHEALTHY");
  assert.equal(told("Up 2 minutes"), undefined);
  assert.equal(told("Up 2 minutes (Paused)"), undefined);
});

test("a check that cannot be carried out is refused", () => {
  const register = (healthCheck: HealthCheck): void =>
    checkDefinition({
      family: "f",
      containerDefinitions: [{ name: "main", image: "box:1", memory: 32, healthCheck }],
    });
  register({ command: ["true"], interval: 1, timeout: 1, retries: 1, startPeriod: 0 });
  for (const command of [[], ["CMD"], ["CMD-SHELL"], ["CMD-SHELL", ""]])
    assert.throws(() => register({ command }), /'main' has no command/);
  for (const command of [
    ["CMD", "a\0b"],
    ["a\0b", "c"],
  ])
    assert.throws(() => register({ command }), /NUL/);
  for (const wrong of [
    { interval: 0, timeout: 61, retries: 11, startPeriod: -1 },
    { interval: 1.0001, timeout: 1.5, retries: 1.5, startPeriod: 0.5 }, // neither init nor an engine has parts
  ])
    for (const [field, value] of Object.entries(wrong))
      assert.throws(
        () => register({ command: ["true"], [field]: value }),
        new RegExp(`${field} is ${value}, but is to be a whole number between`),
      );
});
