// An agent whose control plane is gone, or says nothing any more: it ends what must not be there twice, however often it tries to connect.

import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import websocket from "@fastify/websocket";
import fastify, { type FastifyInstance } from "fastify";
import type { WebSocket } from "ws";
import { runAgent } from "../../src/cluster/drivers/agents/agent.ts";
import { agentPath } from "../../src/cluster/drivers/agents/protocol.ts";
import { NullDriver, plainNode } from "../../src/cluster/drivers/null-driver.ts";
import { until } from "./runtime-fixture.ts";

const nothing = (): void => {};

const spec = (id: string, exclusive: boolean): object => ({
  id,
  taskArn: `arn:${id}`,
  family: "f",
  revision: 1,
  enableExecuteCommand: false,
  containerArns: { main: `arn:${id}/main` },
  createdAt: 0,
  cluster: "default",
  node: "n1",
  definition: { family: "f", containerDefinitions: [{ name: "main", image: "box:1", memory: 32 }] },
  overrides: {},
  group: "service:f",
  inputs: {},
  exclusive,
});

/** An agent with a task that may be there twice and one that must not, and its connection. */
async function connected(
  t: TestContext,
  fenceAfter: number,
): Promise<{ driver: NullDriver; server: FastifyInstance; socket: WebSocket }> {
  const server = fastify({ forceCloseConnections: true });
  await server.register(websocket);
  const arrived = new Promise<WebSocket>((resolve) => {
    server.get(agentPath, { websocket: true }, resolve);
  });
  await server.listen({ port: 0, host: "127.0.0.1" });
  const driver = new NullDriver([plainNode("n1")]);
  const end = new AbortController();
  const url = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
  const ended = runAgent({
    url,
    token: "t",
    engine: "docker",
    driver,
    attributes: [],
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    signal: end.signal,
  });
  t.after(async () => {
    for (const each of server.websocketServer.clients) each.terminate();
    await server.close();
    end.abort();
    await ended;
  });
  const socket = await arrived;
  socket.send(JSON.stringify({ welcome: { fenceAfter } }));
  for (const [id, exclusive] of [
    ["one", true],
    ["many", false],
  ] as const)
    socket.send(JSON.stringify({ start: spec(id, exclusive) }));
  await until(() => driver.running().length === 2);
  return { driver, server, socket };
}

test("tries to connect again do not put it off", { timeout: 60_000 }, async (t) => {
  // Longer than the pauses between tries.
  const { driver, server, socket } = await connected(t, 6_000);
  socket.terminate();
  await server.close();
  await until(() => driver.running().length === 1);
  assert.deepEqual(driver.running(), ["many"]);
});

test("a connection on which nothing is heard counts as broken", { timeout: 60_000 }, async (t) => {
  const { driver, socket } = await connected(t, 100);
  // Neither reads nor answers, as behind a link that was cut.
  socket.pause();
  await until(() => driver.running().length === 1);
  assert.deepEqual(driver.running(), ["many"]);
});
