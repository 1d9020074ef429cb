// The wait of `cluster deploy` and `cluster rollback` for the end of a deployment.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TranshipError } from "../../src/base/errors.ts";
import { settled } from "../../src/cli/cluster/settled.ts";
import type { Context } from "../../src/cli/context.ts";
import type { ClusterClient } from "../../src/cluster/client.ts";

const awaited = { cluster: "default", service: "web", wanted: "arn:task-definition/web:2" };
const service = (rolloutState: string): object => ({
  runningCount: 1,
  desiredCount: 1,
  deployments: [{ rolloutState, taskDefinition: awaited.wanted, createdAt: 5 }],
  events: [],
});

/** Answers by turns; an error is thrown. */
function answering(...answers: (object | Error)[]): () => ClusterClient {
  return () =>
    ({
      call: async () => {
        const next = answers.shift();
        if (next instanceof Error) throw next;
        return { services: [next] };
      },
    }) as unknown as ClusterClient;
}

function listening(): { context: Context; said: string[] } {
  const said: string[] = [];
  const note = (text: string): number => said.push(text);
  const context = { say: note, print: note, log: { warn: note }, signal: new AbortController().signal };
  return { context: context as unknown as Context, said };
}

const away = new TranshipError("E_CLUSTER_UNREACHABLE", "http://h: connect ECONNREFUSED", { hint: "" });

test("goes on over a control plane that is started again", async () => {
  const { context, said } = listening();
  await settled(answering(service("IN_PROGRESS"), away, away, service("COMPLETED")), awaited, context);
  assert.deepEqual(said, ["http://h: connect ECONNREFUSED; trying again", "web runs web:2"]);
});

test("what is refused is not asked again", async () => {
  const refused = new TranshipError("E_CLUSTER_REFUSED", "no", { hint: "" });
  await assert.rejects(
    settled(answering(refused, service("COMPLETED")), awaited, listening().context),
    refused,
  );
});
