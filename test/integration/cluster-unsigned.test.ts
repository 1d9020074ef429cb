// What is taken without a signature: calls of this machine for itself, and none of a page that a browser here shows.

import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { type TestCluster, testCluster } from "../support/cluster.ts";

describe("a control plane that takes calls without a signature", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await testCluster({ unsigned: true, allowReset: true });
  });
  after(() => cluster.close());

  /** Status and body. */
  const post = (path: string, headers: Record<string, string>): Promise<[number | undefined, string]> =>
    new Promise((resolve, reject) => {
      const target = "AmazonEC2ContainerServiceV20141113.CreateCluster";
      const options = { method: "POST", headers: { "x-amz-target": target, ...headers }, agent: false };
      const sent = request(new URL(path, cluster.url), options, (response) => {
        let text = "";
        response.on("data", (chunk) => (text += String(chunk)));
        response.on("end", () => resolve([response.statusCode, text]));
      });
      sent.on("error", reject);
      sent.end("{}");
    });

  const ours = [
    {},
    { host: "localhost:8080" },
    { host: "127.1.2.3" },
    { host: "[::1]:8080" },
    { host: "ecs.localhost" },
    { origin: "http://localhost:3000" },
  ];
  const others = [
    { host: "rebound.example:8080" },
    { host: "127.0.0.1.example" },
    { host: "10.0.0.1" },
    { origin: "https://page.example" },
    { origin: "null" },
    { host: "localhost@rebound.example" },
  ];

  for (const path of ["/", "/reset"])
    test(`POST ${path}`, async () => {
      for (const headers of ours) assert.equal((await post(path, headers))[0], 200, JSON.stringify(headers));
      for (const headers of others) {
        const [status, text] = await post(path, headers);
        assert.equal(status, 403, JSON.stringify(headers));
        assert.match(text, /AccessDeniedException.*localhost and loopback addresses only/);
      }
    });
});
