// Bridge, addresses and published ports, in a network namespace made for it.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openStateRoot } from "../../src/host/state-root.ts";
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

/** The static busybox has a wget that needs a libc; its nc does not. */
const ask = (nc: string, address: string, port: number | string): string =>
  `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | ${nc} -w 2 ${address} ${port}`;

const bodyOf = (result: CliResult): string =>
  /\r\n\r\n([\s\S]*)$/.exec(result.stdout)?.[1] ?? `failed: ${result.stderr}`;

describe("network of instances", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "web:1", {
      files: { "srv/data/index.html": "page\n" },
      config: { ExposedPorts: { "80/tcp": {} } },
    });
    forwarding = (await fixture.inside(["cat", "/proc/sys/net/ipv4/ip_forward"])).stdout;
    // A neighbour: another namespace behind a veth, to which we are 192.0.2.1.
    const script = `ip link add out type veth peer name eth9 && ip addr add 192.0.2.1/24 dev out && ip link set out up &&
      unshare -n sleep 1000 & sleep 0.3; pid=$!; ip link set eth9 netns $pid; nsenter -t $pid -n sh -c
      'ip addr add 192.0.2.2/24 dev eth9; ip link set eth9 up; ip link set lo up'; echo $pid`;
    const made = await fixture.inside(["sh", "-c", script.replaceAll("\n", " ")]);
    neighbour = Number(made.stdout.trim());
    assert.ok(neighbour > 0, made.stderr);
  });
  after(async () => {
    if (neighbour > 0) process.kill(neighbour, "SIGKILL");
    await fixture.remove();
  });
  let neighbour = 0;
  let forwarding = "";

  const cli = (...args: string[]) => fixture.cli(args);
  const start = async (...args: string[]): Promise<void> => {
    const result = await fixture.cli(["run", "-d", ...args]);
    assert.equal(result.status, 0, result.stderr);
    // It is up as soon as its program runs; the server needs a moment more.
    const listening = [
      "exec",
      args[args.indexOf("--name") + 1] ?? "",
      "sh",
      "-c",
      "netstat -ltn | grep -q :80",
    ];
    await until(async () => (await fixture.cli(listening)).status === 0);
  };
  const serve = ["httpd", "-f", "-p", "80", "-h", "/srv/data"];
  const get = async (
    address: string,
    port: number | string,
    from: "host" | "neighbour" = "host",
  ): Promise<string> => {
    const enter = from === "host" ? [] : ["nsenter", "-t", String(neighbour), "-n"];
    const result = await fixture.inside([...enter, "sh", "-c", ask("busybox nc", address, port)]);
    return bodyOf(result);
  };
  const getFrom = async (instance: string, address: string, port: number): Promise<string> =>
    bodyOf(await cli("exec", instance, "sh", "-c", ask("nc", address, port)));

  it("publishes a port on loopback, on the host's addresses and to neighbours, for two instances at once", async () => {
    await start("--name", "one", "-p", "8080:80", "web:1", ...serve);
    await start("--name", "two", "-p", "127.0.0.1:8081:80", "web:1", ...serve);
    await cli("exec", "two", "sh", "-c", "echo second > /srv/data/index.html");
    assert.equal(await get("127.0.0.1", 8080), "page\n");
    assert.equal(await get("192.0.2.1", 8080), "page\n");
    assert.equal(await get("192.0.2.1", 8080, "neighbour"), "page\n");
    assert.equal(await get("127.0.0.1", 8081), "second\n");
    assert.match(await get("192.0.2.1", 8081, "neighbour"), /^failed/);
    assert.match((await cli("ps")).stdout, /0\.0\.0\.0:8080->80\/tcp/);
    assert.equal((await cli("port", "two")).stdout, "80/tcp -> 127.0.0.1:8081\n");
    assert.equal(await getFrom("two", "192.0.2.1", 8080), "page\n");
  });

  it("names the one who has a port", async () => {
    const instance = await cli("run", "--rm", "-p", "8080:80", "web:1", "true");
    assert.equal(instance.status, 125);
    assert.match(
      instance.stderr,
      /E_PORT_TAKEN.*port 8080\/tcp of the host is taken by the instance [0-9a-f]{12}/,
    );
    const script = `busybox nc -l -p 8090 >/dev/null 2>&1 & sleep 0.2; "$0" "$1" run --rm -p 8090:80 web:1 true; s=$?; kill $!; exit $s`;
    const host = await fixture.inside(["sh", "-c", script, process.execPath, mainProgram]);
    assert.match(host.stderr, /taken by (busybox|nc) \(process \d+\)/);
    assert.equal(host.status, 125);
  });

  it("finds free ports for -P, and a packet to 127.0.0.1 from the bridge reaches nobody", async () => {
    await start("--name", "any", "-P", "web:1", ...serve);
    const port = /-> 0\.0\.0\.0:(\d+)/.exec((await cli("port", "any")).stdout)?.[1];
    assert.equal(await get("127.0.0.1", port ?? ""), "page\n");
    const guard = await fixture.inside(["nft", "list", "ruleset"]);
    assert.match(guard.stdout, /iifname != "lo" ip daddr 127\.0\.0\.0\/8 drop/);
    const all = await fixture.inside(["cat", "/proc/sys/net/ipv4/conf/all/route_localnet"]);
    assert.equal(all.stdout.trim(), "0");
  });

  it("reaches other instances and neighbours, and not with --network none", async () => {
    const address = /inet (10\.[\d.]+)/.exec(
      (await cli("exec", "one", "ip", "-4", "a", "show", "eth0")).stdout,
    )?.[1];
    assert.equal(await getFrom("two", address ?? "", 80), "page\n");
    const none = await cli("run", "--rm", "--network", "none", "web:1", "ip", "link");
    assert.doesNotMatch(none.stdout, /eth0/);
    const host = await cli("run", "--rm", "--network", "host", "web:1", "ip", "link");
    assert.match(host.stdout, /out/);
  });

  it("takes the address and the MAC that it is given, and frees all with the last instance", async () => {
    const { stdout } = await cli("exec", "one", "ip", "-4", "a", "show", "eth0");
    const wanted = `${/inet (10\.\d+)\./.exec(stdout)?.[1]}.7.7`;
    const given = await cli(
      "run",
      "--rm",
      "--ip",
      wanted,
      "--mac-address",
      "02:00:00:00:00:07",
      "web:1",
      "ip",
      "a",
    );
    assert.match(given.stdout, /link\/ether 02:00:00:00:00:07/);
    assert.ok(given.stdout.includes(`inet ${wanted}/16`), given.stdout);
    assert.equal((await cli("run", "--rm", "--ip", "10.1.1.1", "web:1", "true")).status, 2);
    assert.equal((await cli("rm", "-f", "one", "two", "any")).status, 0);
    await fixture.clean();
    const forward = await fixture.inside(["cat", "/proc/sys/net/ipv4/ip_forward"]);
    assert.equal(forward.stdout, forwarding);
  });

  it("another state root on the machine has another subnet, unless its instances have addresses of this one", async () => {
    const other = openStateRoot(mkdtempSync(join(tmpdir(), "tranship-other-")));
    const chosen = join(other.path, "network/subnet.json");
    const inOther = (...words: string[]) => fixture.cli(words, { env: { TRANSHIP_ROOT: other.path } });
    try {
      await makePackage(other, "web:1");
      mkdirSync(join(other.path, "network"), { recursive: true });
      await start("--name", "here", "web:1", ...serve);
      const taken = readFileSync(join(fixture.root.path, "network/subnet.json"), "utf8");
      // As if both had chosen while nothing of the other ran.
      writeFileSync(chosen, taken);
      const ran = await inOther("run", "--rm", "web:1", "ip", "a");
      assert.equal(ran.status, 0, ran.stderr);
      assert.match(ran.stdout, /inet 10\./);
      assert.notEqual(readFileSync(chosen, "utf8"), taken);
      assert.equal((await cli("rm", "-f", "here")).status, 0);
      await fixture.clean();

      writeFileSync(chosen, taken);
      assert.equal((await inOther("create", "--name", "kept", "web:1", "true")).status, 0);
      await start("--name", "here", "web:1", ...serve);
      const refused = await inOther("start", "-a", "kept");
      assert.equal(refused.status, 1, refused.stderr);
      assert.match(refused.stderr, /E_NETWORK.*collides with .* on tr[0-9a-f]{8}\n.*TRANSHIP_SUBNET/);
      assert.equal((await inOther("rm", "kept")).status, 0);
    } finally {
      await cli("rm", "-f", "here");
      await inOther("rm", "-f", "kept");
      await fixture.clean();
      rmSync(other.path, { recursive: true, force: true });
    }
  });

  it("refuses a subnet that a route of the host has", async () => {
    const refused = await fixture.cli(["run", "--rm", "web:1", "true"], {
      env: { TRANSHIP_SUBNET: "192.0.2.0/25" },
    });
    assert.match(refused.stderr, /E_NETWORK.*192\.0\.2\.0\/25 collides with 192\.0\.2\.0\/24 on out/);
    await fixture.clean();
  });
});
