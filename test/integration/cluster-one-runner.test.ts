// The tasks of a state root are started and ended by one control plane or agent: a second one would end what the first one's control plane wants.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type LocalCluster, makeLocalCluster } from "../support/local-cluster.ts";
import { programWords, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("a second agent of a state root", { skip, timeout: 200_000 }, () => {
  let cluster: LocalCluster;
  before(async () => {
    cluster = await makeLocalCluster();
    await cluster.define("stays", { name: "main", command: ["sleep", "1000"], stopTimeout: 1 });
  });
  after(() => cluster?.close());

  for (const words of [["join", "http://127.0.0.1:9", "--token-file"], ["leave"]])
    test(`${words[0]} is refused beside a control plane that runs tasks`, async () => {
      const task = await cluster.runOne("stays");
      await cluster.become(task, "RUNNING");
      const token = join(cluster.fixture.root.path, "token");
      writeFileSync(token, "any\n");
      const more = words.at(-1) === "--token-file" ? [token] : [];
      // An agent that is taken in tries for ever.
      const bounded = ["timeout", "20", ...programWords(false), "cluster", ...words, ...more];
      const { status, stderr } = await cluster.fixture.inside(bounded);
      assert.match(
        stderr,
        /error\[E_STATE_BUSY\]: .*cluster\/tasks\.lock is held by process \d+ \(the tasks of this state root\)/,
      );
      assert.equal(status, 1);
      assert.equal((await cluster.see(task)).lastStatus, "RUNNING");
    });

  test("one that was killed is in nobody's way", async () => {
    await cluster.served.end("SIGKILL");
    await cluster.serve();
    const task = await cluster.runOne("stays");
    await cluster.become(task, "RUNNING");
    await cluster.served.end("SIGTERM");
    const { status, stdout, stderr } = await cluster.fixture.cli(["cluster", "leave"]);
    assert.equal(status, 0, stderr);
    await cluster.serve();
    assert.equal(stdout, "3 tasks have been ended\n");
  });
});
