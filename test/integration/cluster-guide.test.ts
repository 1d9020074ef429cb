// The guide's walk: the commands of docs/guide/clusters.md as they are written there, with Debian's aws, and what they print against what the guide shows.
// In long runs alone: it takes Debian's awscli, which nothing else here needs.

import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { installRoot } from "../../src/host/native.ts";
import { type Served, serveCluster } from "../support/cluster-serve.ts";
import { soaking } from "../support/counts.ts";
import { type Fixture, makeFixture, makePackage, programWords, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? (existsSync("/usr/bin/aws") ? false : "needs awscli (scripts/setup --soak)");

interface Shown {
  section: string;
  command: string;
  output: string[];
}

/** Commands after "$ " with the lines below them, and the lines of sh blocks, in order. */
function commandsOf(page: string): Shown[] {
  const shown: Shown[] = [];
  let section = "";
  let block: string | undefined;
  for (const line of page.split("\n")) {
    if (line.startsWith("## ")) section = line.slice(3);
    else if (line.startsWith("```")) block = block === undefined ? line.slice(3) : undefined;
    else if (block === "sh" && /^\s/.test(line)) {
      const last = shown.at(-1);
      if (last !== undefined) last.command += `\n${line}`;
    } else if (block === "sh") shown.push({ section, command: line, output: [] });
    else if (block !== undefined && line.startsWith("$ "))
      shown.push({ section, command: line.slice(2), output: [] });
    else if (block !== undefined) shown.at(-1)?.output.push(line);
  }
  return shown;
}

/** What is another one each time: ids, times, numbers of deployments, room; and with it the width of columns. */
function normal(text: string): string {
  return text
    .trim()
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replace(/\b[0-9a-f]{32}\b/g, "TASK")
    .replace(/\b[0-9a-f]{12}\b/g, "INSTANCE")
    .replace(/ecs-svc\/\d+/g, "ecs-svc/N")
    .replace(/\b\d{2,6}\/\d{3,6}\b/g, "ROOM")
    .replace(/[ \t]+/g, " ");
}

if (soaking)
  describe("the guide of clusters", { skip, timeout: 1_800_000 }, () => {
    let fixture: Fixture;
    let served: Served;
    const walked = [
      "A package as a service",
      "Secrets and environment files",
      "By the AWS command line",
      "A command in a task",
    ];
    const shown = commandsOf(readFileSync(join(installRoot, "docs/guide/clusters.md"), "utf8")).filter(
      ({ section }) => walked.includes(section),
    );

    before(async () => {
      fixture = await makeFixture();
      const files = { "/bin/nginx": "#!/bin/sh\necho nginx version: nginx/1.18.0\n" };
      const config = { Cmd: ["httpd", "-f", "-h", "/srv"] };
      const descriptor = { ports: [{ port: 80, protocol: "tcp" as const }] };
      for (const version of ["1", "2", "latest"])
        await makePackage(fixture.root, `shop:${version}`, {
          files,
          config,
          descriptor,
          prepare: (tree) => chmodSync(join(tree, "bin/nginx"), 0o755),
        });
      writeFileSync(join(fixture.root.path, "password.txt"), "secret\n");
      served = await serveCluster(fixture, "--deregistration-delay", "0s");
    });
    after(async () => {
      await served?.end("SIGTERM");
      for (const line of (await fixture.cli(["ps", "-aq"])).stdout.split("\n").filter(Boolean))
        await fixture.cli(["rm", "-f", line]);
      await fixture.remove();
    });

    /** In one shell after the other, as a person types it: tranship and aws are what the guide calls them. */
    const type = async (command: string): Promise<string> => {
      const script = `
      tranship() { ${programWords(false)
        .map((word) => `'${word}'`)
        .join(" ")} "$@"; }
      aws() { /usr/bin/aws "$@" --endpoint-url ${served.url}; }
      export AWS_SHARED_CREDENTIALS_FILE=${fixture.root.path}/cluster/credentials AWS_DEFAULT_REGION=us-east-1 AWS_PAGER= HOME=${fixture.root.path}
      cd ${fixture.root.path}
      ${command}`;
      const { status, stdout, stderr } = await fixture.inside(["bash", "-euc", `exec 2>&1\n${script}`]);
      assert.equal(status, 0, `${command}\n${stdout}${stderr}`);
      return stdout;
    };

    test("is what happens", async () => {
      assert.ok(shown.length >= 12, `${shown.length} commands were found`);
      let task: string | undefined;
      for (const { command, output } of shown) {
        // The task is the one that was listed before.
        const typed = task === undefined ? command : command.replace(/\b[0-9a-f]{32}\b/, task);
        const said = await type(typed);
        if (command.includes("list-tasks")) task = /[0-9a-f]{32}/.exec(said)?.[0];
        if (output.length === 0) continue;
        assert.equal(normal(said), normal(output.join("\n")), command);
      }
    });
  });
else console.log("# the guide of clusters is walked in long runs alone: npm run soak -- cluster-guide");
