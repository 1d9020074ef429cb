// Who may call: every operation, with everything that can be wrong with a signature; and what a hostile peer may cost.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { ListClustersCommand } from "@aws-sdk/client-ecs";
import { operationNames, otherOperations } from "../../src/cluster/api/model.ts";
import { signedHeaders } from "../../src/cluster/api/sigv4.ts";
import { accessKey, type TestCluster, testCluster } from "../support/cluster.ts";

const prefix = "AmazonEC2ContainerServiceV20141113.";

describe("the API refuses", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await testCluster();
  });
  after(() => cluster.close());

  const sign = (operation: string, body: string, key = accessKey, now = Date.now()): Record<string, string> =>
    signedHeaders({ url: new URL(cluster.url), target: prefix + operation, body }, key, "eu-test-1", now);
  const send = async (
    headers: Record<string, string>,
    body: string,
  ): Promise<{ status: number; type: string }> => {
    const { host: _, ...others } = headers;
    const response = await fetch(cluster.url, { method: "POST", headers: others, body });
    const value = (await response.json()) as { __type?: string };
    return { status: response.status, type: value.__type ?? "" };
  };

  test("every operation that is not signed by a key of ours, now, once, as it is", async () => {
    for (const operation of [...operationNames, ...otherOperations]) {
      const body = '{"clusterName":"mine"}';
      const { authorization: _, ...bare } = sign(operation, body);
      const once = sign(operation, body);
      await send(once, body);
      const tries: [string, Record<string, string>, string, string][] = [
        ["unsigned", bare, body, "MissingAuthenticationTokenException"],
        [
          "wrong secret",
          sign(operation, body, { ...accessKey, secretAccessKey: "x" }),
          body,
          "InvalidSignatureException",
        ],
        [
          "unknown key",
          sign(operation, body, { ...accessKey, accessKeyId: "AKIAOTHER" }),
          body,
          "UnrecognizedClientException",
        ],
        [
          "expired",
          sign(operation, body, accessKey, Date.now() - 3_600_000),
          body,
          "InvalidSignatureException",
        ],
        [
          "from the future",
          sign(operation, body, accessKey, Date.now() + 3_600_000),
          body,
          "InvalidSignatureException",
        ],
        ["replayed", once, body, "InvalidSignatureException"],
        ["tampered body", sign(operation, body), '{"clusterName":"evil"}', "InvalidSignatureException"],
        [
          "tampered target",
          { ...sign(operation, body), "x-amz-target": `${prefix}DeleteCluster` },
          body,
          operation === "DeleteCluster" ? "" : "InvalidSignatureException",
        ],
        [
          "no authorization of ours",
          { ...sign(operation, body), authorization: "Bearer x" },
          body,
          "IncompleteSignatureException",
        ],
      ];
      for (const [what, headers, sent, type] of tries) {
        const seen = await send(headers, sent);
        if (type !== "") assert.equal(seen.type, type, `${operation}, ${what}`);
        assert.ok(seen.status >= 400 || type === "", `${operation}, ${what}: ${seen.status}`);
      }
    }
    assert.equal(cluster.plane.control.state.cluster.get("evil"), undefined);
  });

  test("what is no call of the API", async () => {
    const cases: [string, string, string][] = [
      ["Nonsense", "{}", "UnknownOperationException"],
      ["CreateDaemon", "{}", "UnsupportedFeatureException"],
      ["ListClusters", "{", "SerializationException"],
      ["ListClusters", "[]", "SerializationException"],
      ["ListClusters", '{"maxResults":"1"}', "SerializationException"],
      ["ListClusters", '{"unknown":1}', "InvalidParameterException"],
      ["ListClusters", '{"__proto__":1}', "InvalidParameterException"],
      ["RunTask", "{}", "InvalidParameterException"],
      ["ListServices", '{"schedulingStrategy":"OTHER"}', "InvalidParameterException"],
      ["ListClusters", '{"nextToken":"bm9uc2Vuc2U"}', "InvalidParameterException"],
    ];
    for (const [operation, body, type] of cases)
      assert.equal((await send(sign(operation, body), body)).type, type, `${operation} ${body}`);
  });

  test("bodies that are too large, and goes on", async () => {
    const body = JSON.stringify({ clusterName: "x".repeat(2 << 20) });
    const seen = await send(sign("CreateCluster", body), body).catch(() => ({ status: 413, type: "closed" }));
    assert.equal(seen.status, 413);
    assert.equal((await send(sign("ListClusters", "{}"), "{}")).status, 200);
  });

  test("many idle connections of one peer, and goes on", async () => {
    const { port } = new URL(cluster.url);
    const sockets = Array.from({ length: 400 }, () => connect(Number(port), "127.0.0.1"));
    const closed = sockets.map(
      (socket) => new Promise<void>((resolve) => socket.on("close", () => resolve()).on("error", () => {})),
    );
    await Promise.race(closed);
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
    for (;;) {
      const answer = await send(sign("ListClusters", "{}"), "{}").catch(() => undefined);
      if (answer?.status === 200) break;
    }
  });

  test("requests that are sent a byte at a time, and goes on", async () => {
    const patience = { connection: 5_000, request: 900, headers: 600, keepAlive: 5_000, look: 100 };
    const slow = await testCluster({ patience });
    const { port } = new URL(slow.url);
    const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n";
    const sendSlowly = (first: string, rest: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect(Number(port), "127.0.0.1");
        let seen = "";
        let at = 0;
        const drip = setInterval(() => socket.write(rest[at++ % rest.length] ?? ""), 50);
        socket.on("data", (chunk) => (seen += String(chunk)));
        socket.on("error", () => {});
        socket.on("close", () => {
          clearInterval(drip);
          resolve(seen);
        });
        socket.write(first);
      });
    try {
      const [headers, ...bodies] = await Promise.all([
        sendSlowly("POST / HTTP/1.1\r\n", "X-A: b\r\n"),
        ...Array.from({ length: 50 }, () => sendSlowly(`${head}\r\n`, "x")),
      ]);
      assert.match(headers ?? "", /^HTTP\/1\.1 408 /);
      for (const body of bodies) assert.match(body, /^HTTP\/1\.1 40[08] /);
      await slow.client.send(new ListClustersCommand({}));
    } finally {
      await slow.close();
    }
  });
});
