// kill -9 of each other process of an instance (its monitor, its init, its OCI runtime, the proxy, those who watch it) while `restart` or
// `run` with a network stands before one of its steps: the command ends, the next one repairs, and nothing is left. `npm test` tries the
// monitor and the proxy before the last step, `npm run soak` all of them before all steps, each also with the command killed beside it.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { soaking } from "../support/counts.ts";
import { type Fixture, makeFixture, makePackage, programWords, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("kill -9 of what keeps an instance", { skip, timeout: soaking ? 3_600_000 : 600_000 }, () => {
  let fixture: Fixture;
  let stepsFile: string;
  before(async () => {
    fixture = await makeFixture();
    stepsFile = join(fixture.root.path, "steps.txt");
    await makePackage(fixture.root, "box:1");
    await fixture.cli(["run", "--rm", "box:1", "true"]);
  });
  after(async () => {
    await fixture.remove();
  });

  const started = [
    ...["run", "-d", "--name", "bg", "--network", "front", "--memory", "64m", "-v", "/srv/data"],
    ...["-p", "8070:80", "-p", "[::1]:8071:80", "box:1"],
    ...["sh", "-c", "httpd -p 80 -h /srv/data; while :; do sleep 0.1; done"],
  ];
  const front = ["network", "create", "--ipv6", "front"];

  async function ok(...words: string[]): Promise<void> {
    const done = await fixture.cli(words);
    assert.equal(done.status, 0, `${words.join(" ")}: ${done.stderr}`);
  }

  /** Inside, and by its port. */
  async function usable(): Promise<void> {
    await ok("exec", "bg", "true");
    const get = ["busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8070/seed.txt"];
    let answer = await fixture.inside(get);
    for (let tries = 0; answer.status !== 0 && tries < 50; tries++) answer = await fixture.inside(get);
    assert.equal(answer.stdout, "from the image\n", answer.stderr);
  }

  function begin(words: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
    const [file = "", ...rest] = [...fixture.enter, ...programWords(false), ...words];
    const more = { TRANSHIP_ROOT: fixture.root.path, TRANSHIP_NETWORK_LINGER: "0", ...env };
    return spawn(file, rest, { env: { ...process.env, ...more }, stdio: ["ignore", "ignore", "pipe"] });
  }

  async function namesOfSteps(words: readonly string[]): Promise<string[]> {
    rmSync(stepsFile, { force: true });
    const done = await fixture.inside([...programWords(false), ...words], {
      env: { TRANSHIP_STEPS_FILE: stepsFile },
    });
    assert.equal(done.status, 0, done.stderr);
    const lines = existsSync(stepsFile) ? readFileSync(stepsFile, "utf8").trim().split("\n") : [];
    return [...new Set(lines.map((line) => line.slice(line.indexOf(" ") + 1)))];
  }

  /** Processes of this state root that are there beside the command, by what they are. */
  function others(command: number): Map<string, number> {
    const found = new Map<string, number>();
    for (const { pid, name } of keepers(fixture)) {
      if (pid === command) continue;
      const more = [...found.keys()].filter((one) => one.split(" ")[0] === name).length;
      found.set(more === 0 ? name : `${name} ${more + 1}`, pid);
    }
    return found;
  }

  /** Stands before `step`; undefined where it has ended without coming there. */
  async function standing(child: ChildProcess): Promise<number | undefined> {
    const pid = child.pid ?? 0;
    await until(() => child.exitCode !== null || child.signalCode !== null || stateOf(pid) === "T", 60);
    return stateOf(pid) === "T" ? pid : undefined;
  }

  /** One try. Returns what could be killed there. */
  async function tried(
    words: readonly string[],
    step: string,
    kill: string | undefined,
    withCommand: boolean,
  ): Promise<string[]> {
    const child = begin(words, { TRANSHIP_STOP_AT: step });
    let told = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      told += chunk.toString();
    });
    const end = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 137)));
    const pid = await standing(child);
    const there = pid === undefined ? new Map<string, number>() : others(pid);
    if (kill !== undefined && there.has(kill)) process.kill(there.get(kill) ?? 0, "SIGKILL");
    if (withCommand && pid !== undefined) process.kill(pid, "SIGKILL");
    // What it starts has the variable too, and would stand at that step of its own.
    const going = setInterval(() => goOn(fixture.root.path), 100);
    try {
      const status = await end;
      if (status !== 0 && !withCommand) assert.match(told, /error\[E_/, `status ${status}`);
    } finally {
      clearInterval(going);
    }
    return [...there.keys()];
  }

  const cases: { name: string; ready: string[][]; command: string[]; next: string[][] }[] = [
    {
      name: "restart",
      ready: [front, started],
      command: ["restart", "-t", "0", "bg"],
      next: [["restart", "-t", "0", "bg"]],
    },
    { name: "run on a network", ready: [front], command: started, next: [["rm", "-f", "-v", "bg"], started] },
  ];

  for (const { name, ready, command, next } of cases)
    it(name, async (t) => {
      const makeReady = async (): Promise<void> => {
        for (const words of ready) await ok(...words);
      };
      const nothingLeft = async (): Promise<void> => {
        await fixture.cli(["rm", "-f", "-v", "bg"]);
        await ok("network", "rm", "front");
        await ok("run", "--rm", "--network", "none", "box:1", "true");
        await fixture.clean();
      };
      await makeReady();
      const steps = await namesOfSteps(command);
      await nothingLeft();
      assert.ok(steps.length >= 5, steps.join(", "));
      const wanted = soaking ? steps : ["acknowledge"];
      let kills = 0;
      for (const step of wanted) {
        await makeReady();
        const all = await tried(command, step, undefined, false);
        const there = soaking ? all : all.filter((one) => one === "monitor" || one === "proxy");
        await nothingLeft();
        console.log(`# ${name}, before ${step}: ${there.join(", ")}`);
        for (const kill of there)
          for (const withCommand of soaking ? [false, true] : [false])
            await t.test(
              `${kill}${withCommand ? " and the command" : ""} killed before: ${step}`,
              async () => {
                await makeReady();
                await tried(command, step, kill, withCommand);
                kills++;
                const going = setInterval(() => goOn(fixture.root.path), 100);
                try {
                  for (const words of next)
                    if (words[0] === "rm") await fixture.cli(words);
                    else await ok(...words);
                  await usable();
                  await nothingLeft();
                } finally {
                  clearInterval(going);
                }
              },
            );
      }
      assert.ok(kills > 0, "somebody was there to be killed");
      console.log(`# ${name}: ${kills} kills before ${wanted.length} of ${steps.length} steps`);
    });
});

function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.charAt(stat.lastIndexOf(")") + 2);
  } catch {
    return ""; // gone
  }
}

/** The words that a process was started with, and its variables; undefined where it is gone or somebody else's. */
function read(pid: number, file: "cmdline" | "environ"): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return undefined;
  }
}

const allProcesses = (): number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid);

/** Those that name the state root, and what only names the network that it is in. */
function keepers({ root, enter }: Fixture): { pid: number; name: string }[] {
  const network = readlinkSync(`/proc/${enter[2]}/ns/net`);
  return allProcesses().flatMap((pid) => {
    const words = read(pid, "cmdline")?.split("\0") ?? [];
    const name = keeperName(words);
    if (name === undefined) return [];
    try {
      const ours =
        name === "proxy"
          ? readlinkSync(`/proc/${pid}/ns/net`) === network
          : ["cmdline", "environ", "mountinfo"].some((file) =>
              readFileSync(`/proc/${pid}/${file}`, "latin1").includes(root.path),
            );
      return ours ? [{ pid, name }] : [];
    } catch {
      return []; // gone
    }
  });
}

/** What a process is to an instance; undefined: one of its programs. */
function keeperName(words: readonly string[]): string | undefined {
  const name = basename(words[0] ?? "");
  if (words.includes("instance-ended")) return name === "node" ? "the end" : "monitor";
  // Before it becomes something else, its name is another's.
  if (words.some((word) => word.includes("instance-ended"))) return "monitor";
  return /^(enter|init|supervise|refusals|breaches|proxy|pause|crun|runc|node)$/.test(name)
    ? name
    : undefined;
}

/** Whoever stands at a step goes on. */
function goOn(path: string): void {
  for (const pid of allProcesses())
    if (stateOf(pid) === "T" && read(pid, "environ")?.includes(path) === true)
      try {
        process.kill(pid, "SIGCONT");
      } catch {} // gone
}
