// Applications beside each other, each with the engine in its programs: what they share, and what of one the others do not meet.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync, realpathSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { giveClockPage } from "../../src/runtime/inprocess/clock-page.ts";
import { cannotRun, engine, place, run } from "../support/engine.ts";

/** For each line that it is given a child of it tells name and year. */
const shell = ["/bin/sh", "-c", "while read x; do /bin/sh -c 'echo $(uname -n) $(date +%Y)'; done"];

class Application {
  readonly #child: ChildProcess;

  constructor(...words: string[]) {
    this.#child = spawn(words[0] ?? "", words.slice(1));
    this.#child.stdin?.on("error", () => {});
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  ask(): void {
    this.#child.stdin?.write("\n");
  }

  async told(): Promise<string> {
    this.ask();
    const { stdout } = this.#child;
    assert.ok(stdout);
    return String((await once(stdout, "data", { signal: AbortSignal.timeout(30_000) }))[0]).trim();
  }

  async ended(): Promise<unknown[]> {
    return await once(this.#child, "exit", { signal: AbortSignal.timeout(30_000) });
  }

  async end(): Promise<void> {
    const gone = this.ended();
    this.#child.stdin?.end();
    assert.deepEqual(await gone, [0, null]);
  }
}

/** Kilobytes of the mappings of `file` with `access`, by their kind. */
function mapped(pid: number, file: string, access: string): Record<string, number> {
  const sums: Record<string, number> = {};
  let counts = false;
  for (const line of readFileSync(`/proc/${pid}/smaps`, "latin1").split("\n")) {
    const [, rights, name] = /^[0-9a-f]+-[0-9a-f]+ (\S+) .* (\/.*)$/.exec(line) ?? [];
    if (/^[0-9a-f]+-/.test(line)) counts = rights === access && name === file;
    const [, key = "", kilobytes] = /^(\w+):\s+(\d+) kB$/.exec(line) ?? [];
    if (counts && kilobytes !== undefined) sums[key] = (sums[key] ?? 0) + Number(kilobytes);
  }
  return sums;
}

describe("applications beside each other", { skip: cannotRun }, () => {
  test("the engine's text is shared, its data is each one's own", async () => {
    const applications = ["one", "two"].map((name) => new Application(engine, `--node=${name}`, ...shell));
    const year = new Date().getUTCFullYear();
    for (const [n, name] of ["one", "two"].entries())
      assert.equal(await applications[n]?.told(), `${name} ${year}`);
    for (const { pid } of applications) {
      const text = mapped(pid, realpathSync(engine), "r-xp");
      assert.ok((text.Shared_Clean ?? 0) > 50, JSON.stringify(text));
      assert.equal(text.Private_Dirty, 0);
      const data = mapped(pid, realpathSync(engine), "rw-p");
      assert.ok((data.Private_Dirty ?? 0) > 0 && data.Shared_Dirty === 0, JSON.stringify(data));
      // Nothing that one could write and another would read.
      assert.deepEqual(mapped(pid, realpathSync(engine), "rw-s"), {});
    }
    for (const one of applications) await one.end();
  });

  test("a fault in an element of one ends that one alone", async () => {
    const clock = (name: string, time: string): string => {
      const app = BigInt(Date.parse(time)) * 1_000_000n;
      giveClockPage(join(place, name), { kernel: BigInt(Date.now()) * 1_000_000n, app, rate: 1n << 32n });
      return `--clock-page=${join(place, name)}`;
    };
    const well = new Application(engine, "--node=well", clock("well", "2009-05-01"), ...shell);
    const native = new Application(...shell);
    assert.equal(await well.told(), "well 2009");
    const host = await native.told();
    const code = "import sys, time\nfor line in sys.stdin: print(time.gmtime().tm_year, flush=True)";
    const ill = new Application(engine, clock("ill", "2001-05-01"), "/usr/bin/python3", "-c", code);
    assert.equal(await ill.told(), "2001");
    // Where the clock is read there is no page any more.
    truncateSync(join(place, "ill"), 0);
    const gone = ill.ended();
    ill.ask();
    assert.deepEqual(await gone, [null, "SIGBUS"]);
    assert.equal(await well.told(), "well 2009");
    assert.equal(await native.told(), host);
    await well.end();
    await native.end();
  });

  test("another engine in the place of this one is that of later starts alone", async () => {
    const installed = join(place, "installed");
    copyFileSync(engine, installed);
    const before = new Application(installed, "--node=before", ...shell);
    const year = new Date().getUTCFullYear();
    assert.equal(await before.told(), `before ${year}`);
    writeFileSync(join(place, "next"), "#!/bin/sh\necho the next; exit 9\n", { mode: 0o755 });
    renameSync(join(place, "next"), installed);
    const later = await run([installed, "--node=later", "/bin/sh", "-c", "uname -n"]);
    assert.deepEqual([later.status, later.stdout], [9, "the next\n"]);
    // Also what it starts itself.
    assert.equal(await before.told(), `before ${year}`);
    await before.end();
  });
});
