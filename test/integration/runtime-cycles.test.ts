// Instances that start and stop again and again, and many at once: the host is afterwards as it was before, and one that ran all the time noticed nothing.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { findInstance } from "../../src/runtime/find.ts";
import { mainProcess, parentOf } from "../../src/runtime/processes.ts";
import { soaking } from "../support/counts.ts";
import { openDescriptors, type Traces, tracesOf, zombies } from "../support/traces.ts";
import { type Fixture, makeFixture, makePackage, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;
const cycles = Number(process.env.TRANSHIP_CYCLES ?? (soaking ? 1000 : 50));
/** What is left is looked for so often: a long run that is cut off has told something. */
const stretch = 100;
const many = 50;
/** Commands at once: what a script with `xargs -P` does. */
const hands = 8;

describe("instances again and again", { skip, timeout: soaking ? 10_800_000 : 600_000 }, () => {
  let fixture: Fixture;
  let quiet: Traces;
  const earlier = zombies();
  /** All instances that there were. */
  const ids = new Set<string>();
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "web:1", {
      files: { "srv/data/index.html": "page\n" },
      config: { ExposedPorts: { "80/tcp": {} } },
    });
    // The unpacked layer and the choice of the OCI runtime stay.
    await cli("run", "--rm", "web:1", "true");
    quiet = await tracesOf(fixture, ids);
  });
  after(async () => {
    // What a test that failed has left: fifty of them.
    const left = (await fixture.cli(["ps", "-aq"])).stdout.split("\n").filter(Boolean);
    if (left.length > 0) await fixture.cli(["rm", "-f", "-v", ...left]);
    await fixture.remove();
  });

  async function cli(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await fixture.cli(words);
    assert.equal(status, 0, `${words.join(" ")}: ${stderr}`);
    return stdout.trim();
  }

  /** Processes that end in the background have their time; no process that ended stays one that nobody waits for. */
  async function asBefore(wanted: Traces): Promise<void> {
    let now = await tracesOf(fixture, ids);
    let left = newZombies();
    for (
      let round = 0;
      round < 50 && (left.size > 0 || JSON.stringify(now) !== JSON.stringify(wanted));
      round++
    ) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      now = await tracesOf(fixture, ids);
      left = new Set([...newZombies()].filter((pid) => left.has(pid)));
    }
    assert.deepEqual(now, wanted);
    assert.deepEqual([...left], [], "processes that nobody waits for");
  }

  const newZombies = (): Set<string> => new Set([...zombies()].filter((pid) => !earlier.has(pid)));

  function processOf(name: string): number {
    const { paths, record } = findInstance(fixture.root, name);
    return mainProcess(paths, record.id)?.pid ?? 0;
  }

  it(`${cycles} starts and stops of one instance leave nothing`, async () => {
    await cli("run", "-d", "--name", "stays", "web:1", "httpd", "-f", "-h", "/srv/data");
    ids.add(findInstance(fixture.root, "stays").record.id);
    const init = processOf("stays");
    const monitor = parentOf(init) ?? 0;
    const withOne = await tracesOf(fixture, ids);
    const held = [openDescriptors(init), openDescriptors(monitor)];
    assert.ok(held.every((count) => count > 0));
    const limits = ["--memory", "64m", "--pids-limit", "20", "-v", "kept:/srv/data", "-p", "8080:80"];
    const cycling = await cli(
      "create",
      "--name",
      "cycles",
      ...limits,
      "web:1",
      "httpd",
      "-f",
      "-h",
      "/srv/data",
    );
    ids.add(cycling);
    for (let cycle = 0; cycle < cycles; cycle++) {
      await cli("start", "cycles");
      // It is live, so that what is counted afterwards was there.
      if (cycle === 0) {
        const busy = await tracesOf(fixture, ids);
        for (const kind of ["devices", "rules", "cgroups"] as const)
          assert.ok(busy[kind] > withOne[kind], `${kind} of a running instance`);
      }
      // Half of them end by a signal they do not expect.
      await cli(...(cycle % 2 === 0 ? ["stop", "--timeout", "1"] : ["kill"]), "cycles");
      if (cycle % 2 === 1) await cli("wait", "cycles");
      if (cycle % stretch === stretch - 1) {
        await asBefore(withOne);
        console.log(`# ${cycle + 1} starts and stops: nothing is left`);
      }
    }
    assert.match(await cli("history", "cycles", "--format", "{{.status}}"), /./);
    await cli("rm", "cycles");
    await asBefore(withOne);
    assert.deepEqual(
      [openDescriptors(init), openDescriptors(monitor)],
      held,
      "descriptors of one that ran beside",
    );
    assert.match(await cli("exec", "stays", "cat", "/srv/data/index.html"), /page/);
    await cli("rm", "-f", "stays");
    await cli("volume", "rm", "kept");
    await asBefore(quiet);
    await fixture.clean();
  });

  it(`${many} at once each have an address of their own, and leave nothing`, async () => {
    const names = Array.from({ length: many }, (_, index) => `many-${index}`);
    await atOnce(names, (name) =>
      cli("run", "-d", "--name", name, "--hostname", name, "web:1", "httpd", "-f", "-h", "/srv/data").then(
        () => {},
      ),
    );
    assert.equal((await cli("ps", "-q")).split("\n").length, many);
    for (const name of names) ids.add(findInstance(fixture.root, name).record.id);
    assert.ok((await tracesOf(fixture, ids)).cgroups >= many);
    const addresses = names.map((name) => {
      const pid = processOf(name);
      assert.equal(readFileSync(`/proc/${pid}/root/etc/hostname`, "utf8"), `${name}\n`);
      const [, address = ""] =
        new RegExp(`^(\\S+)\\s+.*\\b${name}\\b`, "m").exec(
          readFileSync(`/proc/${pid}/root/etc/hosts`, "utf8"),
        ) ?? [];
      return address;
    });
    assert.equal(new Set(addresses).size, many, addresses.join(" "));
    // Each answers, asked from the host's side of the bridge.
    await atOnce(addresses, async (address) => {
      const page = await fixture.inside([
        "sh",
        "-c",
        `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 5 ${address} 80`,
      ]);
      assert.match(page.stdout, /page/, address);
    });
    await atOnce(names, (name) => cli("stop", "--timeout", "1", name).then(() => {}));
    await atOnce(names, (name) => cli("rm", name).then(() => {}));
    await asBefore(quiet);
    await fixture.clean();
  });

  async function atOnce(values: readonly string[], work: (value: string) => Promise<void>): Promise<void> {
    const left = [...values];
    const hand = async (): Promise<void> => {
      for (let value = left.shift(); value !== undefined; value = left.shift()) await work(value);
    };
    await Promise.all(Array.from({ length: hands }, hand));
  }
});
