// What ps, logs, inspect and port show by docker's flags; attach; volumes, networks, prune; want of memory.
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  type CliResult,
  type Fixture,
  mainProgram,
  makeFixture,
  makePackage,
  until,
  whyNot,
} from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("looking at instances", { skip, timeout: 400_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
  });
  after(async () => {
    await fixture.clean();
    await fixture.remove();
  });

  const cli = (...args: string[]) => fixture.cli(args);
  async function ok(...args: string[]): Promise<string> {
    const result = await cli(...args);
    assert.deepEqual([result.status, result.stderr], [0, ""], args.join(" "));
    return result.stdout;
  }
  const start = (name: string, script: string, ...flags: string[]): Promise<string> =>
    ok("run", "-d", "--name", name, "--network", "none", ...flags, "box:1", "sh", "-c", script);

  it("ps filters, counts and sizes, inspect and port as docker", async () => {
    await ok("create", "--name", "first", "--label", "tier=web", "box:1", "true");
    await ok(
      "run",
      "-d",
      "--name",
      "second",
      "-p",
      "127.0.0.1:8077:80",
      "--restart",
      "on-failure:4",
      "-e",
      "A=b",
      "box:1",
      "sleep",
      "1000",
    );
    await start("third", "exit 6");
    await ok("wait", "third");
    const names = async (...args: string[]): Promise<string> =>
      (await ok("ps", "--format", "{{.Names}}", ...args)).trim().split("\n").join(" ");
    assert.equal(await names(), "second");
    assert.equal(await names("-a"), "third second first");
    assert.equal(await names("-n", "2"), "third second");
    assert.equal(await names("-l"), "third");
    for (const [filter, wanted] of [
      ["exited=6", "third"], ["exited=0", ""], ["status=created", "first"], ["status=running", "second"], ["name=^s", "second"],
      ["label=tier=web", ""], ["network=none", ""], ["publish=80", "second"], ["publish=81-90/tcp", ""], ["ancestor=box:1", "second"],
    ] as const) assert.equal(await names("--filter", filter), wanted, filter); // biome-ignore format: a table
    assert.equal(await names("-a", "-f", "label=tier=web"), "first");
    assert.equal(await names("-a", "-f", "before=second"), "first");
    assert.equal(await names("-a", "-f", "since=second"), "third");
    assert.equal((await cli("ps", "-f", "status=odd")).status, 2);
    assert.match(await ok("ps", "-s"), /SIZE\n[0-9a-f]{12} .* second +[\d.]+kB \(virtual [\d.]+MB\)\n/);
    await ok("pause", "second");
    assert.match(await ok("ps"), / Up .* \(Paused\) +127\.0\.0\.1:8077->80\/tcp +second$/m);
    assert.equal(await names("-f", "status=paused"), "second");
    assert.equal(
      await ok(
        "inspect",
        "-f",
        "{{.State.Status}} {{.State.Paused}} {{.HostConfig.RestartPolicy.Name}} {{.Config.Cmd}} {{len .Mounts}}",
        "second",
      ),
      'paused true on-failure ["sleep","1000"] 0\n',
    );
    await ok("unpause", "second");
    assert.equal(await ok("port", "second"), "80/tcp -> 127.0.0.1:8077\n");
    assert.equal(await ok("port", "second", "80"), "127.0.0.1:8077\n");
    assert.equal((await cli("port", "second", "81")).status, 1);
    const [bridge] = JSON.parse(await ok("network", "inspect", "bridge")) as {
      Containers: object;
      IPAM: { Config: object[] };
    }[];
    assert.deepEqual(
      Object.values(bridge?.Containers ?? {}).map((one: { Name: string }) => one.Name),
      ["second"],
    );
    assert.equal(bridge?.IPAM.Config.length, 1);
    assert.match(await ok("network", "ls", "-q"), /^([0-9a-f]{12}\n){3}$/);
    assert.equal(await ok("network", "ls", "--format", "{{.Name}}"), "bridge\nhost\nnone\n");
    await ok("rm", "-f", "second");
    assert.equal((await cli("prune", "--no-input")).status, 2);
    assert.equal((await ok("prune", "--dry-run")).trim().split("\n").length, 2);
    assert.equal(await ok("prune", "--force", "--filter", "until=24h"), "Total reclaimed space: 0B\n");
    assert.match(
      await ok("prune", "--force", "--filter", "label!=tier"),
      /^Deleted Instances:\n[0-9a-f]{64}\n\nTotal reclaimed space: /,
    );
    assert.equal(await names("-a"), "first");
    assert.match(await ok("prune", "--yes"), /^Deleted Instances:\n/);
  });

  it("logs between two times, rotated as asked for", async () => {
    await start("talker", "echo early; sleep 1000", "--log-opt", "max-size=2k", "--log-opt", "max-file=2");
    await until(async () => (await ok("logs", "talker")) === "early\n");
    const between = new Date().toISOString();
    await ok("exec", "talker", "true");
    await ok("stop", "-t", "0", "talker");
    assert.equal(await ok("logs", "--since", between, "talker"), "");
    assert.equal(await ok("logs", "--until", between, "talker"), "early\n");
    await ok("rm", "talker");
    const id = (
      await start("much", "seq 1 500", "--log-opt", "max-size=2k", "--log-opt", "max-file=2")
    ).trim();
    await ok("wait", "much");
    const files = readdirSync(join(fixture.root.path, "instances", id, "run/log")).filter((name) =>
      name.startsWith("all.log"),
    );
    assert.deepEqual(files.sort(), ["all.log", "all.log.1"]);
    assert.match(await ok("logs", "much"), /\n500\n$/);
    assert.equal((await cli("create", "--log-opt", "color=red", "box:1")).status, 2);
    await ok("rm", "much");
  });

  it("attach has the terminal of a detached instance, resizes it, and leaves it running", async () => {
    await ok("run", "-dt", "--name", "shell", "--network", "none", "box:1", "sh");
    const typed = async (keys: string, ...flags: string[]) =>
      await fixture.inside(
        [
          "sh",
          "-c",
          `script -qec "stty rows 33 cols 99; ${process.execPath} ${mainProgram} attach ${flags.join(" ")} shell" /dev/null`,
        ],
        { input: keys },
      );
    // Not ctrl-q: until the terminal is a raw one, its own line discipline takes that.
    const first = await typed("tty; stty size; echo $((40+2))\n\x18x", "--detach-keys", "ctrl-x,x");
    assert.equal(first.status, 0, first.stdout);
    await until(async () => (await ok("logs", "shell")).includes("42"));
    assert.match(await ok("logs", "shell"), /\/dev\/pts\/0\r?\n33 99/);
    assert.equal(await ok("ps", "--format", "{{.Names}}"), "shell\n");
    const last = await typed("exit 7\n");
    assert.equal(last.status, 7, last.stdout);
    assert.equal(await ok("wait", "shell"), "7\n");
    assert.equal((await cli("attach", "shell")).status, 1);
    await ok("rm", "shell");
  });

  it("attach ends with the status of what is killed while it looks, also where that is removed or started again", async () => {
    const run = ["run", "-d", "--network", "none"];
    const script = "echo up; exec sleep 1000";
    const looked = async (name: string, end: () => Promise<unknown>): Promise<CliResult> => {
      const attached = fixture.cli(["attach", "--no-stdin", name]);
      const seen = () => ok("events", "--since", "1h", "--until", "0s", "--filter", `container=${name}`);
      await until(async () => (await seen()).includes("instance attach"));
      await end();
      return await attached;
    };
    await ok(...run, "--name", "gone", "box:1", "sh", "-c", script);
    const gone = await looked("gone", () => ok("rm", "-f", "gone"));
    assert.deepEqual([gone.status, gone.stderr], [137, ""]);
    await ok(...run, "--name", "again", "--restart", "always", "box:1", "sh", "-c", script);
    const pid = Number(await ok("inspect", "-f", "{{.State.Pid}}", "again"));
    const again = await looked("again", async () => process.kill(pid, "SIGKILL"));
    assert.deepEqual([again.status, again.stderr], [137, ""]);
    await ok("rm", "-f", "again");
  });

  it("rm -f and rmi -f of what is not there are done, as with docker; without -f they fail", async () => {
    await ok("create", "--network", "none", "--name", "there", "box:1");
    const forced = await cli("rm", "-f", "nobody", "there");
    assert.deepEqual([forced.status, forced.stdout], [0, "there\n"]);
    assert.match(forced.stderr, /^no such instance: nobody$/m);
    assert.match((await cli("rm", "nobody")).stderr, /^error\[E_INSTANCE_NOT_FOUND\]/);
    const image = await cli("rmi", "-f", "nothing:1");
    assert.deepEqual([image.status, image.stdout], [0, ""]);
    assert.match(image.stderr, /^no such image: nothing:1$/m);
    assert.equal((await cli("rmi", "nothing:1")).status, 1);
  });

  it("what needs a running instance says in the words of ps that one is restarting", async () => {
    await ok("run", "-d", "--network", "none", "--name", "failing", "--restart", "always", "box:1", "false");
    for (const verb of [
      ["exec", "failing", "true"],
      ["top", "failing"],
      ["attach", "failing"],
    ])
      await until(async () => {
        const refused = await cli(...verb);
        return /failing is not running but restarting\n.*its restart rule/.test(refused.stderr);
      });
    await ok("rm", "-f", "failing");
  });

  it("attach types into -i, and nobody who looks is needed", async () => {
    const id = (
      await ok(
        "run",
        "-di",
        "--name",
        "reader",
        "--network",
        "none",
        "box:1",
        "sh",
        "-c",
        "while read x; do echo got $x; [ $x = end ] && exit 3; done",
      )
    ).trim();
    const attached = await fixture.cli(["attach", "reader"], { input: "one\nend\n" });
    assert.deepEqual([attached.status, attached.stdout], [3, "got one\ngot end\n"]);
    assert.equal(existsSync(join(fixture.root.path, "instances", id, "run/attach.sock")), false);
    assert.equal(await ok("logs", "reader"), "got one\ngot end\n");
    const again = await fixture.cli(["start", "-ai", "reader"], { input: "end\n" });
    assert.deepEqual([again.status, again.stdout], [3, "got end\n"]);
    await ok("rm", "reader");
    await start("short", "echo said; exit 4");
    await ok("wait", "short");
    assert.deepEqual(await cli("start", "-a", "short"), { status: 4, stdout: "said\n", stderr: "" });
    await ok("rm", "short");
  });

  it("volumes are made, listed, filled on first use, kept while used, removed", async () => {
    assert.equal(await ok("volume", "create", "--label", "a=b", "named"), "named\n");
    assert.equal(await ok("volume", "create", "given"), "given\n");
    const data = (await ok("volume", "inspect", "-f", "{{.Mountpoint}}", "given")).trim();
    writeFileSync(join(data, "mine"), "put here before\n");
    const volumes = ["-v", "named:/srv/data", "-v", "given:/opt", "-v", "/var/own"];
    await ok(
      "run",
      "--name",
      "user",
      "--network",
      "none",
      ...volumes,
      "box:1",
      "sh",
      "-c",
      "ls /srv/data /opt > /srv/data/list",
    );
    assert.equal(
      await ok("run", "--rm", "--network", "none", "-v", "named:/d", "box:1", "cat", "/d/list"),
      "/opt:\nmine\n\n/srv/data:\nlist\nseed.txt\n",
    );
    assert.match((await cli("volume", "rm", "named")).stderr, /error\[E_VOLUME_IN_USE\]/);
    assert.equal(await ok("volume", "ls", "-q", "-f", "label=a=b"), "named\n");
    assert.match(
      await ok("volume", "ls"),
      /^DRIVER +VOLUME NAME\nlocal +[0-9a-f]{64}\nlocal +given\nlocal +named\n$/,
    );
    assert.equal(await ok("volume", "ls", "-q", "-f", "dangling=true"), "");
    await ok("rm", "user");
    assert.match(
      await ok("volume", "prune", "--force"),
      /^Deleted Volumes:\n[0-9a-f]{64}\n\nTotal reclaimed space: /,
    );
    assert.equal(await ok("volume", "rm", "named", "given"), "named\ngiven\n");
    assert.equal((await cli("volume", "rm", "named")).status, 1);
    assert.equal(await ok("volume", "rm", "-f", "named"), "named\n");
    assert.match(
      await ok("events", "--since", "1h", "--until", "0s", "-f", "volume=named"),
      /volume create named.*\n.*volume destroy named/,
    );
  });

  it("what was killed for want of memory is an event, and inspect says so", async (t) => {
    await start("hungry", "x=$(head -c 60000000 /dev/zero | tr '\\0' a); exit 9", "--memory", "16m");
    const status = (await ok("wait", "hungry")).trim();
    const events = await ok(
      "events",
      "--since",
      "1h",
      "--until",
      "0s",
      "-f",
      "instance=hungry",
      "-f",
      "event=oom",
    );
    const killed = await ok("inspect", "-f", "{{.State.OOMKilled}}", "hungry");
    await ok("rm", "hungry");
    if (status !== "137" || !existsSync("/dev/kmsg")) {
      t.skip("this host limits no memory, or shows no log of its kernel");
      return;
    }
    assert.match(
      events,
      /instance oom [0-9a-f]{64} \(count=1, image=box:1, limit=memory, name=hungry, pid=\d+, task=\w+\)/,
    );
    assert.equal(killed, "true\n");
  });
});
