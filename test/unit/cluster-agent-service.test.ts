// The agents that a swarm starts are told what the control plane was told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { keepingWords } from "../../src/cli/cluster/retention.ts";
import { agentService, specificationLabel } from "../../src/cluster/drivers/swarm/agent-service.ts";

const given = {
  image: "registry.example:5000/agent:1",
  url: "http://10.0.0.1:8080",
  secret: { id: "s", name: "token" },
  registries: [],
  network: "tasks",
};

test("agents keep what the control plane was told to keep, and are started again when that changes", () => {
  const options = { logRetention: ["7d", "/audit=90d"], logLimit: "2g", taskCleanupWait: "0s", syslog: [] };
  const keeping = keepingWords({ options } as never);
  assert.equal(
    keeping.join(" "),
    "--log-retention 7d --log-retention /audit=90d --log-limit 2g --task-cleanup-wait 0s",
  );
  const [told, plain] = [agentService({ ...given, keeping }), agentService({ ...given, keeping: [] })];
  assert.ok(JSON.stringify(told).includes(JSON.stringify(keeping).slice(1, -1)));
  const labelOf = ({ Labels }: Record<string, unknown>) =>
    (Labels as Record<string, string>)[specificationLabel];
  assert.notEqual(labelOf(told), labelOf(plain));
});

test("agents trust the authorities that they are given, by a file that Node reads", () => {
  const authorities = { id: "a", name: "authorities" };
  const text = JSON.stringify(agentService({ ...given, keeping: [], authorities }));
  const [, file] = /"NODE_EXTRA_CA_CERTS=\/run\/secrets\/([^"]+)"/.exec(text) ?? [];
  assert.ok(
    file !== undefined &&
      text.includes(`{"SecretID":"a","SecretName":"authorities","File":{"Name":"${file}"`),
  );
  assert.ok(!JSON.stringify(agentService({ ...given, keeping: [] })).includes("NODE_EXTRA_CA_CERTS"));
});
