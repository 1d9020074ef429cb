// A control plane on loopback with the vendor's own SDK as its client; every answer is held against the model.

import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { ECSClient } from "@aws-sdk/client-ecs";
import { checkOutput } from "../../src/cluster/api/model.ts";
import type { Driver } from "../../src/cluster/drivers/driver.ts";
import { NullDriver } from "../../src/cluster/drivers/null-driver.ts";
import { type ControlPlane, makeControlPlane, type ServeOptions } from "../../src/cluster/serve.ts";

export const accessKey = { accessKeyId: "AKIDTEST", secretAccessKey: "not a secret" };

export interface TestCluster {
  plane: ControlPlane;
  client: ECSClient;
  url: string;
  defects: unknown[];
  close(): Promise<void>;
}

export async function testCluster(
  options: Partial<ServeOptions> & { driver?: Driver; port?: number } = {},
): Promise<TestCluster> {
  const defects: unknown[] = [];
  const plane = await makeControlPlane({
    stateFile: ":memory:",
    driver: new NullDriver(),
    secretOf: (key) => (key === accessKey.accessKeyId ? accessKey.secretAccessKey : undefined),
    onDefect: (error) => defects.push(error),
    onAnswer: (operation, text) => checkOutput(operation, JSON.parse(text)),
    ...options,
  });
  await plane.server.listen({ host: "127.0.0.1", port: options.port ?? 0 });
  const { port } = plane.server.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const client = new ECSClient({
    endpoint: url,
    region: "eu-test-1",
    credentials: accessKey,
    maxAttempts: 1,
  });
  return {
    plane,
    client,
    url,
    defects,
    close: async () => {
      client.destroy();
      await plane.close();
      assert.deepEqual(defects, []);
    },
  };
}
