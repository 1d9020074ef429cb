// Limits that come with a package hold from its first instruction, are refused where the host cannot hold them, and share what there is.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { cgroupDirectories, cgroupMode } from "../../src/host/cgroup.ts";
import { instanceGroup } from "../../src/runtime/limits/groups.ts";
import {
  type Fixture,
  makeFixture,
  makePackage,
  removeInstances,
  until,
  whyNot,
} from "../integration/runtime-fixture.ts";

/** Takes as many MiB as it is told, before it does anything else. */
const program = `
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
	size_t size = (size_t)atoi(argv[1]) << 20;
	volatile char *all = malloc(size);
	for (size_t i = 0; i < size; i += 4096)
		all[i] = 1;
	puts("survived");
	return 0;
}
`;

const noGroups = cgroupMode().kind === "none" ? "no control groups here" : undefined;
const skip = whyNot() ?? noGroups ?? (existsSync("/usr/bin/gcc") ? false : "needs gcc");
const runtimes = ["/usr/bin/crun", "/usr/sbin/runc"].filter((path) => existsSync(path));

describe("limits of a package", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let work: string;

  before(async () => {
    work = mkdtempSync(join(tmpdir(), "tranship-limits-"));
    execFileSync("gcc", ["-O1", "-static", "-x", "c", "-o", join(work, "take"), "-"], { input: program });
    const prepare = (tree: string): void => copyFileSync(join(work, "take"), join(tree, "bin/take"));
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
    const limits = { memory: "16MiB", cpus: null, pids: null, disk: null, network: null, files: null };
    await makePackage(fixture.root, "lean:1", { prepare, descriptor: { limits } });
    await makePackage(fixture.root, "wide:1", {
      descriptor: { limits: { ...limits, memory: null, cpus: 4096 } },
    });
  });
  after(async () => {
    await removeInstances(fixture);
    await fixture.remove();
    rmSync(work, { recursive: true, force: true });
  });

  const done = async (...words: string[]): Promise<string> => {
    const result = await fixture.cli(words);
    assert.equal(result.status, 0, `${words.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };

  for (const runtime of runtimes)
    it(`hold before the first instruction of a program (${basename(runtime)})`, async () => {
      const env = { TRANSHIP_RUNTIME: runtime };
      const take = (name: string, ...flags: string[]) =>
        fixture.cli(["run", "--name", name, "--network", "none", ...flags, "lean:1", "take", "64"], { env });
      const killed = await take("lean");
      assert.deepEqual([killed.status, killed.stdout], [137, ""], killed.stderr);
      assert.equal(await done("inspect", "-f", "{{.HostConfig.Memory}}", "lean"), `${16 << 20}\n`);
      assert.match(
        await done("events", "--since", "10m", "--until", "0s", "--filter", "event=oom"),
        / oom .*limit=memory, name=lean,.*task=take/,
      );
      const wider = await take("wider", "--memory", "256m");
      assert.deepEqual([wider.status, wider.stdout], [0, "survived\n"], wider.stderr);
      await done("rm", "lean", "wider");
    });

  it("are refused where the host cannot hold them", async () => {
    const refused = await fixture.cli(["run", "--rm", "--network", "none", "wide:1", "true"]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /E_LIMIT_UNSUPPORTED.*cannot hold --cpus: it has \d+ processors/);
    // The control: the same package with what there is.
    await done("run", "--rm", "--network", "none", "--cpus", "1", "wide:1", "true");
  });

  it("share a busy processor as they say, and equal ones share it equally", {
    skip: cgroupMode().kind === "none" ? "no control groups here" : false,
  }, async () => {
    const ratio = async (...shares: [string, string]): Promise<number> => {
      const names = ["first", "second"];
      for (const [at, name] of names.entries())
        await done(
          ...["run", "-d", "--network", "none", "--name", name],
          "--cpuset-cpus",
          "0",
          "--cpu-shares",
          shares[at] ?? "",
          "box:1",
          "sh",
          "-c",
          "while :; do :; done",
        );
      const ids = await Promise.all(
        names.map(async (name) => (await done("inspect", "-f", "{{.Id}}", name)).trim()),
      );
      const [a = 0, b = 0] = ids.map(secondsOf);
      const used = (): [number, number] => [secondsOf(ids[0] ?? "") - a, secondsOf(ids[1] ?? "") - b];
      await until(() => used()[0] + used()[1] > 1, 120);
      const [first, second] = used();
      await done("rm", "-f", ...names);
      return first / second;
    };
    const four = await ratio("2048", "512");
    assert.ok(four > 3 && four < 5.3, `4 was asked for: ${four}`);
    const one = await ratio("1024", "1024");
    assert.ok(one > 0.75 && one < 1.33, `1 was asked for: ${one}`);
  });
});

/** Processor time of an instance so far. */
function secondsOf(id: string): number {
  for (const directory of cgroupDirectories(instanceGroup(id))) {
    if (existsSync(join(directory, "cpuacct.usage")))
      return Number(readFileSync(join(directory, "cpuacct.usage"), "latin1")) / 1e9;
    const stat = join(directory, "cpu.stat");
    const used = existsSync(stat) ? /^usage_usec (\d+)/m.exec(readFileSync(stat, "latin1"))?.[1] : undefined;
    if (used !== undefined) return Number(used) / 1e6;
  }
  return 0;
}
