// Instances in the network of another one: what they share, and what stays when one of them ends, comes back or is removed.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("--network container", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "web:1", { files: { "srv/data/index.html": "page\n" } });
  });
  after(async () => {
    await fixture.remove();
  });

  const cli = (...args: string[]) => fixture.cli(args);
  const ok = async (...args: string[]): Promise<string> => {
    const result = await fixture.cli(args);
    assert.equal(result.status, 0, `${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  const asks = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 127.0.0.1 80 | tail -n 1";
  const serve = ["web:1", "httpd", "-f", "-p", "80", "-h", "/srv/data"];
  const idle = ["web:1", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"];
  const listens = (name: string) =>
    until(async () => (await cli("exec", name, "sh", "-c", "netstat -ltn | grep -q ':80 '")).status === 0);
  const page = async (): Promise<string> => (await fixture.inside(["busybox", "sh", "-c", outside])).stdout;
  const outside = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 127.0.0.1 8080 | tail -n 1";
  const addressOf = async (name: string): Promise<string> =>
    /inet (10\.[\d.]+)/.exec(await ok("exec", name, "ip", "-4", "a"))?.[1] ?? "none";
  const veths = async (): Promise<string[]> =>
    (await fixture.inside(["ls", "/proc/self/net/dev_snmp6"])).stdout
      .split("\n")
      .filter((name) => /^ts/.test(name));

  it("shares addresses, loopback, host name and the files that name things", async () => {
    await ok("run", "-d", "--name", "db", "--hostname", "dbhost", "-p", "8080:80", ...serve);
    await listens("db");
    const job = (...words: string[]) =>
      ok("run", "--rm", "--network", "container:db", "web:1", "sh", "-c", words.join(" "));
    assert.equal(await job("wget -qO- http://127.0.0.1/ || ", asks), "page\n");
    assert.equal(await job("hostname; cat /etc/hostname"), "dbhost\ndbhost\n");
    assert.match(await job("ip -4 a"), new RegExp(`inet ${await addressOf("db")}/`));
    assert.equal(await job("cat /etc/hosts"), await ok("exec", "db", "cat", "/etc/hosts"));
    await job("echo 192.0.2.9 shared >> /etc/hosts");
    assert.match(await ok("exec", "db", "cat", "/etc/hosts"), /192\.0\.2\.9 shared/);
    // The control: without it there is nothing on loopback.
    assert.equal((await cli("run", "--rm", "web:1", "sh", "-c", asks)).stdout, "");
    assert.deepEqual(await veths(), (await veths()).slice(0, 1));
  });

  it("refuses what contradicts it, and an owner that does not run or is not there", async () => {
    for (const [flag, value] of [
      ["--hostname", "x"],
      ["-p", "8081:80"],
      ["--mac-address", "02:00:00:00:00:07"],
      ["--ip", "10.213.7.7"],
    ] as const) {
      const refused = await cli("run", "--rm", "--network", "container:db", flag, value, "web:1", "true");
      assert.equal(refused.status, 2, `${flag}: ${refused.stderr}`);
      assert.match(refused.stderr, /conflicting options: --\w+/);
    }
    assert.equal((await cli("run", "--rm", "--network", "container:db", "-P", "web:1", "true")).status, 2);
    await ok("create", "--name", "idle", ...idle);
    const refused = await cli("run", "--rm", "--network", "container:idle", "web:1", "true");
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /cannot join the network of idle, which is not running/);
    assert.equal((await cli("run", "--rm", "--network", "container:nobody", "web:1", "true")).status, 125);
    await ok("rm", "idle");
  });

  it("the owner comes back into the network that the other has kept", async () => {
    await ok("run", "-d", "--name", "side", "--network", "container:db", ...idle);
    const own = await addressOf("db");
    const namespace = (name: string) => ok("exec", name, "readlink", "/proc/self/ns/net").catch(() => "");
    assert.equal(await namespace("side"), await namespace("db"));
    await ok("stop", "-t", "0", "db");
    assert.equal(await addressOf("side"), own, "the other keeps its network");
    assert.equal(await page(), "", "a port of the owner ends with the owner");
    await ok("start", "db");
    await listens("db");
    assert.equal(await addressOf("db"), own);
    assert.equal(await ok("exec", "side", "sh", "-c", asks), "page\n");
    assert.equal(await page(), "page\n");
    await ok("restart", "-t", "0", "side");
    assert.equal(await ok("exec", "side", "sh", "-c", asks), "page\n");
    assert.equal((await veths()).length, 1);
  });

  it("shares the network of the one that a sharer shares, and is shown by inspect and ps", async () => {
    const id = (await ok("inspect", "-f", "{{.Id}}", "db")).trim();
    await ok("run", "-d", "--name", "third", "--network", "container:side", ...idle);
    assert.equal(
      (await ok("inspect", "-f", "{{.HostConfig.NetworkMode}}", "third")).trim(),
      `container:${id}`,
    );
    assert.equal((await ok("inspect", "-f", "{{json .NetworkSettings.Networks}}", "third")).trim(), "{}");
    await ok("rm", "-f", "third");
  });

  it("when the owner is removed its devices leave the others, whatever the order nothing is left", async () => {
    await ok("rm", "-f", "db");
    assert.equal(await addressOf("side"), "none");
    assert.deepEqual(await veths(), []);
    const restarted = await cli("restart", "-t", "0", "side");
    assert.match(restarted.stderr, /whose network side shares, was removed/);
    await cli("rm", "-f", "side");
    await fixture.clean();
    await ok("run", "-d", "--name", "db", ...serve);
    await ok("run", "-d", "--name", "side", "--network", "container:db", ...idle);
    await ok("rm", "-f", "side");
    await ok("rm", "-f", "db");
    await fixture.clean();
  });

  it("an owner in the foreground with --rm goes while another has its network", async () => {
    const owner = fixture.cli(["run", "--rm", "--name", "fg", ...idle], {
      env: { TRANSHIP_NETWORK_LINGER: "2" },
    });
    await until(async () => (await cli("exec", "fg", "true")).status === 0);
    await ok("run", "-d", "--name", "side", "--network", "container:fg", ...idle);
    await ok("stop", "fg");
    assert.equal((await owner).status, 0);
    assert.equal(await addressOf("side"), "none");
    assert.ok(
      readdirSync(fixture.root.instances).every((id) =>
        readFileSync(`${fixture.root.instances}/${id}/instance.json`, "utf8").includes('"side"'),
      ),
    );
    await ok("rm", "-f", "side");
    await fixture.clean();
  });
});
