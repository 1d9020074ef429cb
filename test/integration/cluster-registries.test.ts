// Images of tasks from registries: which may be asked, and with whose login.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Task } from "@aws-sdk/client-ecs";
import { hashSync } from "bcryptjs";
import { type LocalCluster, makeLocalCluster, startRegistry } from "../support/local-cluster.ts";
import { whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("images of tasks", { skip, timeout: 400_000 }, () => {
  let cluster: LocalCluster;
  before(async () => {
    cluster = await makeLocalCluster();
  });
  after(() => cluster?.close());

  test("images are fetched from registries that were named, and from no others", async () => {
    const registry = await startRegistry(cluster.fixture);
    try {
      await cluster.served.end("SIGTERM");
      await cluster.serve("--registry", registry.host, "--plain-http");
      await cluster.define("fetched", { name: "main", image: `${registry.host}/box:1`, command: ["true"] });
      const fetched = await cluster.become(await cluster.runOne("fetched"), "STOPPED");
      assert.equal(fetched.containers?.[0]?.exitCode, 0, fetched.stoppedReason);
      assert.ok((fetched.pullStoppedAt?.getTime() ?? 0) >= (fetched.pullStartedAt?.getTime() ?? 1));
      await cluster.define("elsewhere", { name: "main", image: "127.0.0.1:6999/box:1" });
      const refused = await cluster.become(await cluster.runOne("elsewhere"), "STOPPED");
      assert.match(refused.stoppedReason ?? "", /CannotPullContainerError: .*is not in the store/);
    } finally {
      await registry.end();
    }
  });

  test("a definition brings the login of its registry, as a secret that is shown nowhere", async () => {
    const users = join(cluster.fixture.root.path, "users");
    writeFileSync(users, `ann:${hashSync("s3cret", 4)}\n`);
    for (const [name, password] of [
      ["registry/ann", "s3cret"],
      ["registry/wrong", "other"],
    ] as const)
      await cluster.fixture.cli(["secret", "create", name, "-"], {
        input: JSON.stringify({ username: "ann", password }),
      });
    await cluster.fixture.cli(["secret", "create", "registry/none", "-"], { input: "no JSON" });
    const registry = await startRegistry(cluster.fixture, "--htpasswd", users);
    try {
      await cluster.served.end("SIGTERM");
      await cluster.serve("--registry", registry.host, "--plain-http");
      const image = `${registry.host}/box:1`;
      await cluster.fixture.cli(["rmi", image]);
      const ended = async (credentialsParameter?: string): Promise<Task> => {
        const login =
          credentialsParameter === undefined ? {} : { repositoryCredentials: { credentialsParameter } };
        await cluster.define("private", { name: "main", image, command: ["true"], ...login });
        return await cluster.become(await cluster.runOne("private"), "STOPPED");
      };
      for (const login of [undefined, "registry/wrong"])
        assert.match((await ended(login)).stoppedReason ?? "", /^CannotPullContainerError: /);
      for (const login of ["registry/none", "registry/absent"])
        assert.match(
          (await ended(login)).stoppedReason ?? "",
          /ResourceInitializationError: .*pull registry auth/,
        );
      const arn = "arn:aws:secretsmanager:eu-test-1:000000000000:secret:registry/ann-a1B2c3";
      const done = await ended(arn);
      assert.equal(done.containers?.[0]?.exitCode, 0, done.stoppedReason);
      assert.doesNotMatch(JSON.stringify(done) + cluster.served.words(), /s3cret/);
    } finally {
      await registry.end();
    }
  });
});
