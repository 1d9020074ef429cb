// Credentials of task roles at the API: who has them, what they allow, and when they end; signed as the vendor's SDK signs.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  CreateClusterCommand,
  ECSClient,
  ListClustersCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import { signedHeaders } from "../../src/cluster/api/sigv4.ts";
import type { TaskCredentials } from "../../src/cluster/drivers/driver.ts";
import { CredentialCache } from "../../src/cluster/drivers/endpoint/credential-cache.ts";
import { namedPolicies, type Policy, parsePolicy } from "../../src/cluster/roles/policy.ts";
import { TaskRoles } from "../../src/cluster/roles/task-roles.ts";
import { accessKey, type TestCluster, testCluster } from "../support/cluster.ts";

const arn = (role: string): string => `arn:aws:iam::000000000000:role/${role}`;
const minute = 60_000;

describe("task roles", { timeout: 60_000 }, () => {
  const policies = new Map<string, Policy>();
  const roles = new TaskRoles({
    key: Buffer.alloc(32, 7),
    policyOf: (role) => policies.get(role) ?? [],
    lifetime: 20 * minute,
  });
  let ahead = 0;
  let cluster: TestCluster;
  before(async () => {
    cluster = await testCluster({ roles, clock: { now: () => Date.now() + ahead } });
    await cluster.client.send(new CreateClusterCommand({}));
    for (const role of ["reader", "other"]) await register(cluster.client, role);
  });
  after(() => cluster.close());

  const register = (client: ECSClient, role?: string): Promise<unknown> =>
    client.send(
      new RegisterTaskDefinitionCommand({
        family: role ?? "plain",
        containerDefinitions: [{ name: "main", image: "any", memory: 32 }],
        ...(role === undefined ? {} : { taskRoleArn: arn(role) }),
      }),
    );
  const runOne = async (family: string, more: object = {}): Promise<string> => {
    const { tasks } = await cluster.client.send(new RunTaskCommand({ taskDefinition: family, ...more }));
    return tasks?.[0]?.taskArn?.split("/").at(-1) ?? "";
  };
  const give = (task: string): TaskCredentials => {
    const given = roles.credentialsOf(cluster.plane.control, task);
    assert.ok(given !== undefined);
    return given;
  };
  const clientOf = (given: TaskCredentials): ECSClient =>
    new ECSClient({
      endpoint: cluster.url,
      region: "eu-test-1",
      credentials: {
        accessKeyId: given.AccessKeyId,
        secretAccessKey: given.SecretAccessKey,
        sessionToken: given.Token,
      },
      maxAttempts: 1,
    });
  /** The name of the error, or "done". */
  const outcome = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => "done",
      (error: Error) => error.name,
    );
  const raw = async (
    key: { accessKeyId: string; secretAccessKey: string; sessionToken?: string },
    change: (headers: Record<string, string>) => void = () => {},
  ): Promise<string> => {
    const url = new URL(cluster.url);
    const target = "AmazonEC2ContainerServiceV20141113.ListClusters";
    const { host: _, ...headers } = signedHeaders(
      { url, target, body: "{}" },
      key,
      "eu-test-1",
      Date.now() + ahead,
    );
    change(headers);
    const response = await fetch(url, { method: "POST", headers, body: "{}" });
    return ((await response.json()) as { __type?: string }).__type ?? "done";
  };

  test("a task does what its role allows, and nothing else", async () => {
    const client = clientOf(give(await runOne("reader")));
    const list = (): Promise<string> => outcome(client.send(new ListClustersCommand({})));
    const run = (taskDefinition: string): Promise<string> =>
      outcome(client.send(new RunTaskCommand({ taskDefinition })));
    assert.equal(await list(), "AccessDeniedException", "a role that nobody made may do nothing");
    policies.set(arn("reader"), namedPolicies["read-only"] ?? []);
    assert.equal(await list(), "done");
    assert.equal(await run("reader"), "AccessDeniedException");
    await assert.rejects(client.send(new RunTaskCommand({ taskDefinition: "reader" })), {
      message:
        /^User: arn:aws:sts::000000000000:assumed-role\/reader\/[0-9a-f]{32} is not authorized to perform: ecs:RunTask/,
    });
    // All operations, but no other role than its own.
    policies.set(
      arn("reader"),
      parsePolicy({ Statement: { Effect: "Allow", Action: "ecs:*", Resource: "*" } }) as Policy,
    );
    assert.equal(await run("reader"), "done");
    assert.equal(await run("other"), "AccessDeniedException");
    assert.equal(await outcome(register(client, "other")), "AccessDeniedException");
    assert.equal(await outcome(register(client, "reader")), "done");
    const overrides = { taskRoleArn: arn("other") };
    const changed = new RunTaskCommand({ taskDefinition: "reader", overrides });
    assert.equal(await outcome(client.send(changed)), "AccessDeniedException");
    policies.set(arn("reader"), namedPolicies.full ?? []);
    assert.equal(await run("other"), "done");
    client.destroy();
  });

  test("a task without a role has no credentials", async () => {
    await register(cluster.client);
    assert.equal(roles.credentialsOf(cluster.plane.control, await runOne("plain")), undefined);
    const overridden = await runOne("plain", { overrides: { taskRoleArn: arn("reader") } });
    assert.equal(give(overridden).RoleArn, arn("reader"));
    const { control } = cluster.plane;
    assert.ok(roles.credentialsOf(control, overridden, "node-1") !== undefined);
    assert.equal(roles.credentialsOf(control, overridden, "node-2"), undefined, "for a node that has it not");
  });

  test("what is not the key as it was given is refused", async () => {
    policies.set(arn("reader"), namedPolicies["read-only"] ?? []);
    const [one, two] = [give(await runOne("reader")), give(await runOne("reader"))];
    const key = (given: TaskCredentials, more: object = {}) => ({
      accessKeyId: given.AccessKeyId,
      secretAccessKey: given.SecretAccessKey,
      sessionToken: given.Token,
      ...more,
    });
    assert.equal(await raw(key(one)), "done");
    const unknown = "UnrecognizedClientException";
    const { sessionToken: _, ...bare } = key(one);
    assert.equal(await raw(bare), unknown, "without its token");
    assert.equal(await raw(key(one, { sessionToken: two.Token })), unknown, "with the token of another");
    const [body = "", mac = ""] = one.Token.split(".");
    const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as object;
    const forged = Buffer.from(JSON.stringify({ ...claims, role: arn("other") })).toString("base64url");
    assert.equal(await raw(key(one, { sessionToken: `${forged}.${mac}` })), unknown, "with another role");
    for (const sessionToken of [".", "x.y", "x".repeat(5000), body])
      assert.equal(await raw(key(one, { sessionToken })), unknown, sessionToken.slice(0, 20));
    assert.equal(await raw(key(one, { secretAccessKey: "x" })), "InvalidSignatureException");
    const later = (headers: Record<string, string>): void => {
      headers["x-amz-security-token"] = one.Token;
    };
    assert.equal(await raw(bare, later), "InvalidSignatureException", "with a token that is not signed");
    assert.equal(
      await raw({ ...accessKey, sessionToken: one.Token }),
      unknown,
      "a person's key has no token",
    );
    assert.equal(await raw(accessKey), "done");
  });

  test("they end with their time, and with their task", async () => {
    policies.set(arn("reader"), namedPolicies["read-only"] ?? []);
    const task = await runOne("reader");
    const given = give(task);
    const key = {
      accessKeyId: given.AccessKeyId,
      secretAccessKey: given.SecretAccessKey,
      sessionToken: given.Token,
    };
    ahead = 19 * minute;
    assert.equal(await raw(key), "done");
    ahead = 21 * minute;
    assert.equal(await raw(key), "ExpiredTokenException");
    ahead = 0;
    assert.equal(await raw(key), "done");
    await cluster.client.send(new StopTaskCommand({ task }));
    assert.equal(await raw(key), "UnrecognizedClientException");
    assert.equal(roles.credentialsOf(cluster.plane.control, task), undefined);
  });

  test("policies that cannot be held are refused, not ignored", () => {
    const rule = { Effect: "Allow", Action: "ecs:List*", Resource: "*" };
    const bad: [object, RegExp][] = [
      [{ ...rule, Resource: "arn:aws:ecs:*:*:cluster/a" }, /Resource/],
      [{ ...rule, Condition: {} }, /Condition/],
      [{ Effect: "Allow", NotAction: "ecs:*", Resource: "*" }, /Action/],
      [{ ...rule, Effect: "Permit" }, /Effect/],
    ];
    for (const [Statement, what] of bad) assert.match(String(parsePolicy({ Statement: [Statement] })), what);
    assert.equal(typeof parsePolicy({ Version: "2012-10-17", Statement: [rule] }), "object");
    assert.equal(typeof parsePolicy("full"), "string");
  });

  test("a node asks for new ones long before the old ones expire, and keeps those while nobody answers", async () => {
    const cache = new CredentialCache();
    let asked = 0;
    let away = false;
    cache.from(async (task) => {
      if (away) throw new Error("away");
      const Expiration = new Date(Date.now() + 400).toISOString();
      return { AccessKeyId: `${task}-${++asked}`, SecretAccessKey: "", Token: "", Expiration, RoleArn: "" };
    });
    const [first, same] = await Promise.all([cache.of("t"), cache.of("t")]);
    assert.deepEqual([first?.AccessKeyId, same?.AccessKeyId, asked], ["t-1", "t-1", 1]);
    away = true;
    await new Promise((resolve) => setTimeout(resolve, 250));
    assert.equal((await cache.of("t"))?.AccessKeyId, "t-1", "still good");
    away = false;
    assert.equal((await cache.of("t"))?.AccessKeyId, "t-2", "renewed before its end");
    away = true;
    await new Promise((resolve) => setTimeout(resolve, 450));
    await assert.rejects(cache.of("t"), /away/);
  });
});
