// What a foreground instance is waited for by: native/supervise, below which Node prepares it, or into which Node turns itself.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { installRoot, nativePath } from "../../src/host/native.ts";
import { eventually } from "../support/enter.ts";
import { type Fixture, makeFixture, makePackage, programWords, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

for (const prepared of [true, false]) {
  const name = prepared ? "supervise, with Node below it" : "supervise, which Node becomes";
  describe(name, { skip, timeout: 600_000 }, () => superviseTests(prepared));
}

function superviseTests(prepared: boolean): void {
  const program = programWords(prepared);
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture(prepared);
    await makePackage(fixture.root, "box:1");
    await fixture.cli(["run", "--rm", "box:1", "true"]);
  });
  after(async () => {
    await fixture.remove();
  });

  const later = { TRANSHIP_NETWORK_LINGER: "2" };
  const box = (...command: string[]): string[] => ["run", "--rm", "--network", "none", "box:1", ...command];

  function start(args: readonly string[], env: Readonly<Record<string, string>> = later): ChildProcess {
    const [file = "", ...words] = [...program, ...args];
    return spawn(file, words, {
      env: { ...process.env, TRANSHIP_ROOT: fixture.root.path, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  const ended = (child: ChildProcess): Promise<number | NodeJS.Signals | null> =>
    new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));

  async function says(child: ChildProcess, word: string): Promise<void> {
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    await until(() => output.includes(word));
  }

  const childrenOf = ({ pid }: ChildProcess): number[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean).map(Number);

  /** The child that waits at a mark: see TRANSHIP_STOP_AT. */
  const stopped = (child: ChildProcess): number | undefined =>
    childrenOf(child).find((pid) => / T /.test(readFileSync(`/proc/${pid}/stat`, "latin1")));

  const launches = (): { starter: { pid: number; startTime: string } }[] =>
    readdirSync(fixture.root.instances).map((id) =>
      JSON.parse(readFileSync(join(fixture.root.instances, id, "launch.json"), "utf8")),
    );

  async function repaired(): Promise<void> {
    const next = await fixture.cli(box("echo", "works"));
    assert.equal(next.stdout, "works\n", next.stderr);
    await fixture.clean();
  }

  it("is the process that the launch record names", async () => {
    const child = start(box("sh", "-c", "echo up; sleep 1000"));
    const end = ended(child);
    await says(child, "up");
    assert.equal(readlinkSync(`/proc/${child.pid}/exe`), nativePath("supervise"));
    const [launch] = launches();
    assert.equal(launch?.starter.pid, child.pid);
    const stat = readFileSync(`/proc/${child.pid}/stat`, "latin1");
    assert.equal(launch?.starter.startTime, stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
    child.kill("SIGTERM");
    assert.equal(await end, 143);
    await repaired();
  });

  it("ends with the status of the program, in a simple end and in one that is not", async () => {
    for (const linger of ["0", "2"]) {
      for (const [script, status] of [
        ["exit 0", 0],
        ["exit 7", 7],
        ["exit 125", 125],
        ["exit 126", 126],
        ["kill -9 $$", 137],
        ["kill -SEGV $$", 139],
        ["echo x > /etc/mine; exit 3", 3],
      ] as const) {
        const result = await fixture.cli(box("sh", "-c", script), {
          env: { TRANSHIP_NETWORK_LINGER: linger },
        });
        assert.equal(result.status, status, `${script}, linger ${linger}: ${result.stderr}`);
      }
    }
    const missing = await fixture.cli(box("no-such-program"), { env: later });
    assert.equal(missing.status, 127, missing.stderr);
    await repaired();
  });

  it("tells a start that failed in words, with 125 and nothing left", async () => {
    for (const format of [[], ["--log-format", "json"]]) {
      const result = await fixture.cli(
        [...format, "run", "--rm", "--workdir", "/etc/passwd", "box:1", "true"],
        {
          env: later,
        },
      );
      assert.equal(result.status, 125, result.stderr);
      const line =
        result.stderr
          .trim()
          .split("\n")
          .find((one) => one.includes("E_RUNTIME")) ?? "";
      assert.match(line, /could not be started: ./);
      assert.equal(line.startsWith("{"), format.length > 0, result.stderr);
    }
    await repaired();
  });

  it("leaves what it gives to the program as a child of Node would find it", async () => {
    const result = await fixture.inside([
      "sh",
      "-c",
      `trap '' USR1; ${program.join(" ")} run --rm --network none box:1 ` +
        `sh -c 'grep -E "^Sig(Ign|Blk)" /proc/self/status; ls /proc/self/fd | wc -l' | cat`,
    ]);
    assert.match(result.stdout, /SigBlk:\t0+\nSigIgn:\t0+\n/, result.stdout + result.stderr);
    // 0, 1, 2 and the directory that ls reads.
    assert.match(result.stdout, /\n4\n$/, result.stdout);
  });

  it("leaves descriptors of its caller to nobody, not even to who waits to take the bridge down", async () => {
    // cat ends when nobody holds the pipe any more: long before the waiting shell does.
    const result = await fixture.inside(
      ["sh", "-c", `{ ${program.join(" ")} run --rm box:1 echo works 3>&1 >&2 | cat; } 2>&1`],
      { env: { TRANSHIP_NETWORK_LINGER: "300" } },
    );
    assert.equal(result.stdout, "works\n", result.stderr);
    const waiter = Number(readFileSync(join(fixture.root.path, "network/waiter"), "latin1").split(" ")[0]);
    assert.ok(waiter > 1);
    try {
      // It is known by its number a moment before it becomes the shell.
      await eventually("nothing of its caller is open", () => !existsSync(`/proc/${waiter}/fd/3`));
    } finally {
      process.kill(waiter, "SIGKILL");
    }
    await repaired();
  });

  it("works with closed streams", async () => {
    const result = await fixture.inside([
      "sh",
      "-c",
      `${program.join(" ")} run --rm -i --network none box:1 sh -c 'cat; exit 4' <&- >&- 2>&-`,
    ]);
    assert.equal(result.status, 4);
  });

  it("a second signal reaches the program too", async () => {
    const script =
      "n=0; trap 'n=$((n+1)); echo got$n; [ $n = 2 ] && exit 9' INT; echo up; while :; do sleep 0.05; done";
    const child = start(box("sh", "-c", script));
    const end = ended(child);
    const first = says(child, "got1");
    await says(child, "up");
    child.kill("SIGINT");
    await first;
    child.kill("SIGINT");
    assert.equal(await end, 9);
    await repaired();
  });

  it("kill -9 at a random moment leaves what the next command repairs", async () => {
    for (let round = 0; round < 6; round++) {
      const child = start(box("sh", "-c", "sleep 0.2"));
      const end = ended(child);
      const timer = setTimeout(() => child.kill("SIGKILL"), Math.random() * 1200);
      await end;
      clearTimeout(timer);
      await repaired();
    }
  });

  it("another command may remove the instance meanwhile", async () => {
    const child = start([
      "run",
      "--rm",
      "--name",
      "fg",
      "--network",
      "none",
      "box:1",
      "sh",
      "-c",
      "echo up; sleep 1000",
    ]);
    const end = ended(child);
    await says(child, "up");
    assert.equal((await fixture.cli(["rm", "-f", "fg"])).status, 0);
    assert.equal(await end, 137);
    await repaired();
  });

  it("hands over where its OCI runtime was killed, and nothing runs on", async () => {
    const child = start(box("sh", "-c", "echo up; sleep 1000"));
    const end = ended(child);
    await says(child, "up");
    // Node may not have been waited for yet.
    const [chain = 0] = childrenOf(child).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("--bundle"),
    );
    assert.ok(chain > 1);
    process.kill(chain, "SIGKILL");
    assert.equal(await end, 137);
    assert.deepEqual(readdirSync(fixture.root.instances), []);
    await repaired();
  });

  it("empties the trash, and removes links instead of following them", async () => {
    const trash = join(fixture.root.path, "trash");
    const outside = join(fixture.root.path, "kept");
    const made = spawnSync("sh", [
      "-c",
      `mkdir -p ${outside} ${trash}/a/b/c && touch ${outside}/file ${trash}/a/b/x &&
      ln -s ${outside} ${trash}/a/link && ln -s ${outside} ${trash}/top`,
    ]);
    assert.equal(made.status, 0);
    assert.equal((await fixture.cli(box("sleep", "0.3"), { env: later })).status, 0);
    assert.deepEqual(
      readdirSync(trash).filter((name) => name.length < 64),
      [],
    );
    assert.ok(existsSync(join(outside, "file")));
    await repaired();
  });

  if (prepared) preparedTests();

  function preparedTests(): void {
    it("ends with the status of a command that does all by itself, and is no longer there than it", async () => {
      for (const [script, status] of [
        ["exit 0", 0],
        ["exit 125", 125],
        ["kill -9 $$", 137],
      ] as const) {
        const result = spawnSync(nativePath("supervise"), ["--prepare", "/bin/sh", "-c", script]);
        assert.equal(result.status, status);
      }
      const detached = await fixture.cli(["run", "-d", "--name", "bg", "box:1", "sleep", "1000"]);
      assert.equal(detached.status, 0, detached.stderr);
      assert.equal((await fixture.cli(["rm", "-f", "bg"])).status, 0);
      await repaired();
    });

    it("keeps what Node prints apart from the command, with closed streams too", async () => {
      const words = `${program.join(" ")} run -d --name bg box:1 sleep 1000`;
      const result = await fixture.inside(["sh", "-c", `${words} <&- >&-`]);
      assert.equal(result.status, 0, result.stderr);
      assert.equal((await fixture.cli(["rm", "-f", "bg"])).status, 0);
      await repaired();
    });

    it("comes first in what the launcher starts for run", async () => {
      const root = fixture.root.path;
      for (const global of [[], ["--root", root], [`--root=${root}`]]) {
        const child = spawn(join(installRoot, "bin/tranship"), [...global, ...box("true")], {
          env: { ...process.env, TRANSHIP_ROOT: root, ...later, TRANSHIP_STOP_AT: "lease names" },
          stdio: "ignore",
        });
        const end = ended(child);
        await until(() => stopped(child) !== undefined);
        assert.equal(readlinkSync(`/proc/${child.pid}/exe`), nativePath("supervise"));
        child.kill("SIGKILL");
        await end;
        await repaired();
      }
    });

    it("makes the very directory that Node would make", async () => {
      const trees = [];
      for (const words of [program, programWords(false)]) {
        const [file = "", ...rest] = [...words, ...box("sh", "-c", "echo up; sleep 1000")];
        const child = spawn(file, rest, {
          env: { ...process.env, TRANSHIP_ROOT: fixture.root.path, ...later },
          stdio: ["ignore", "pipe", "pipe"],
        });
        const end = ended(child);
        await says(child, "up");
        const [id = ""] = readdirSync(fixture.root.instances);
        assert.match(id, /^[0-9a-f]{64}$/);
        const at = join(fixture.root.instances, id);
        const names = readdirSync(at, { recursive: true, encoding: "utf8" }).filter(
          (name) => !/^(work|upper|oci)\//.test(name),
        );
        trees.push(names.sort().map((name) => `${lstatSync(join(at, name)).mode.toString(8)} ${name}`));
        child.kill("SIGKILL");
        await end;
        await repaired();
      }
      assert.deepEqual(trees[0], trees[1]);
      assert.ok((trees[0] ?? []).includes("100600 bundle/config.json"), trees[0]?.join("\n"));
    });

    it("leaves nothing of what it made where Node has no use for it", async () => {
      for (const [args, status] of [
        [["run", "--no-such-flag"], 2],
        [["run", "no-such-package"], 125],
        [["--root", join(fixture.root.path, "other"), "run", "box:1"], 125],
        [["run", "--help"], 0],
      ] as const) {
        const result = await fixture.cli(args);
        assert.equal(result.status, status, result.stderr);
        assert.deepEqual(readdirSync(fixture.root.instances), []);
      }
      const child = start(box("true"), { TRANSHIP_STOP_AT: "lease names" });
      const end = ended(child);
      await until(() => stopped(child) !== undefined);
      process.kill(stopped(child) ?? -1, "SIGKILL");
      assert.equal(await end, 137);
      assert.deepEqual(readdirSync(fixture.root.instances), []);
      await repaired();
    });

    it("dies of a signal while it is prepared, and Node with it", async () => {
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        const child = start(box("sh", "-c", "echo never"), { TRANSHIP_STOP_AT: "instance directory" });
        const end = ended(child);
        await until(() => stopped(child) !== undefined);
        const below = childrenOf(child);
        assert.equal(below.length, 2, "Node, and enter that waits for it");
        child.kill(signal);
        assert.equal(await end, signal);
        await until(() => below.every((pid) => !existsSync(`/proc/${pid}`)));
        await repaired();
      }
    });

    it("has its place in the launch record alone: what Node started is told from it", async () => {
      // As if it came from a supervise that is not the parent.
      const result = await fixture.inside([
        "sh",
        "-c",
        `TRANSHIP_PREPARE=9:1 ${programWords(false).join(" ")} run --rm --network none box:1 echo works`,
      ]);
      assert.equal(result.stdout, "works\n", result.stderr);
      await repaired();
    });

    it("takes only a whole command", () => {
      for (const [script, status, words] of [
        ["printf 3 >&$fd", 0, /^$/],
        ["printf '9\\0abc' >&$fd; exit 4", 4, /^$/],
        ["printf 'x\\0' >&$fd", 125, /no number/],
        ["printf '99999999999\\0' >&$fd", 125, /too long/],
        ["printf '3\\0abc' >&$fd", 125, /not whole/],
        ["printf '3\\0--\\0' >&$fd", 125, /expected: OPTIONS -- COMMAND/],
      ] as const) {
        // dash takes descriptors of one digit only.
        const whole = `fd=\${TRANSHIP_PREPARE%%:*}; ${script}`;
        const result = spawnSync(nativePath("supervise"), ["--prepare", "/bin/bash", "-c", whole], {
          encoding: "utf8",
        });
        assert.equal(result.status, status, `${script}: ${result.stderr}`);
        assert.match(result.stderr, words);
      }
    });
  }

  it("says what is wrong with its command line", () => {
    for (const [args, words] of [
      [[], /expected: OPTIONS -- COMMAND/],
      [["--prepare"], /expected: --prepare COMMAND/],
      [["--prepare", "/no/program"], /cannot execute \/no\/program/],
      [["--", "true"], /--hand-over is missing/],
      [["--hand-over"], /a word is missing/],
      [["--nonsense"], /unknown option: --nonsense/],
      [["--hand-over", "x", "--small", "p", "9x", "--", "true"], /not a size: 9x/],
      [["--hand-over", "x", "--set-aside", "a", "b", "--", "true"], /needs --gone and --spoke/],
      [Array.from({ length: 40 }, () => ["--hand-over", "x"]).flat(), /too many words/],
    ] as const) {
      const result = spawnSync(nativePath("supervise"), args, { encoding: "utf8" });
      assert.equal(result.status, 125);
      assert.match(result.stderr, words);
    }
  });
}
