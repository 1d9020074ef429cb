// A state root whose file system is full: what gives room back works, what needs some says so and leaves nothing, and logs tell what they lost.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type CliResult, type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

describe("instances on a full disk", { skip: whyNot() ?? false, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let small: string;
  const cli = (...args: string[]): Promise<CliResult> => fixture.cli(["--root", small, ...args]);
  const done = async (...args: string[]): Promise<string> => {
    const result = await cli(...args);
    assert.equal(result.status, 0, `${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  const sh = (script: string): Promise<CliResult> => fixture.inside(["sh", "-c", script, small]);
  /** Once more before each verb: the one before may have given some room back. */
  const fill = async (): Promise<void> => {
    await sh('dd if=/dev/zero of="$0/fill" bs=4k oflag=append conv=notrunc 2>/dev/null');
    const { stdout } = await sh('df -k --output=avail "$0" | tail -1');
    assert.equal(stdout.trim(), "0");
  };
  const names = async (): Promise<string[]> =>
    (await done("ps", "-a", "--format", "{{.Names}}")).split("\n").filter(Boolean).sort();

  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
    small = `${fixture.root.path}/small`;
    const made = await fixture.inside([
      "sh",
      "-ec",
      'mkdir "$0"; mount -t tmpfs -o size=24m,mode=755 none "$0"; cd "$1"; cp -a store version.json "$0"',
      small,
      fixture.root.path,
    ]);
    assert.equal(made.status, 0, made.stderr);
  });
  after(async () => {
    await sh('rm -f "$0/fill"');
    const all = (await cli("ps", "-aq")).stdout.split("\n").filter(Boolean);
    if (all.length > 0) await cli("rm", "-f", ...all);
    await fixture.remove();
  });

  it("are stopped and removed, and commands run in them; what cannot be started is told and leaves nothing", async () => {
    const run = ["run", "-d", "--network", "none", "--name"];
    for (const name of ["lives", "stopped", "killed"]) await done(...run, name, "box:1", "sleep", "1000");
    await done(...run, "own", "--rm", "box:1", "sleep", "1000");
    await done("create", "--network", "none", "--name", "made", "box:1", "sleep", "1000");
    await fill();
    assert.equal(await done("exec", "lives", "echo", "inside"), "inside\n");
    await fill();
    const start = await cli("start", "made");
    assert.match(start.stderr, /^error\[E_NO_SPACE\]/m);
    await fill();
    const another = await cli("run", "--name", "another", "--network", "none", "box:1", "true");
    assert.equal(another.status, 125);
    assert.match(another.stderr, /^error\[E_NO_SPACE\]/m);
    assert.deepEqual(await names(), ["killed", "lives", "made", "own", "stopped"]);
    for (const words of [
      ["stop", "-t", "1", "own"],
      ["rm", "made"],
      ["stop", "-t", "1", "stopped"],
      ["rm", "stopped"],
      ["rm", "-f", "killed"],
    ]) {
      await fill();
      await done(...words);
    }
    assert.deepEqual(await names(), ["lives"]);
    assert.equal((await sh('ls /dev/shm | grep -c "^tranship-exec-"')).stdout, "0\n");
    await sh('rm -f "$0/fill"');
    assert.equal(await done("exec", "lives", "echo", "again"), "again\n");
    await done("rm", "-f", "lives");
  });

  it("go on while their logs are lost, which is told when there is room again", async () => {
    const script = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done";
    await done("run", "-d", "--network", "none", "--name", "talks", "box:1", "sh", "-c", script);
    await until(async () => (await done("logs", "talks")).includes("line 5\n"));
    await fill();
    // One that cannot be written any more: nothing new comes.
    let last = "";
    await until(async () => {
      await fill();
      const before = last;
      last = await done("logs", "--tail", "1", "talks");
      return last === before;
    });
    assert.equal(await done("exec", "talks", "echo", "alive"), "alive\n");
    await sh('rm -f "$0/fill"');
    await until(async () => / lines of the log were lost$/m.test((await cli("logs", "talks")).stderr));
    const { stdout } = await cli("logs", "talks");
    const numbers = [...stdout.matchAll(/^line (\d+)$/gm)].map(([, number]) => Number(number));
    const { stderr } = await cli("logs", "talks");
    const lost = [...stderr.matchAll(/^(\d+) lines of the log were lost$/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
    const holes = numbers
      .slice(1)
      .reduce((sum, number, index) => sum + number - (numbers[index] ?? 0) - 1, 0);
    assert.ok(lost > 0);
    assert.equal(holes, lost, "what is missing is what was told");
    await done("rm", "-f", "talks");
  });
});
