// Two families: networks with IPv6, ports published on it, and ports that lead back to the instance that has them.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("IPv6, and ports from everywhere", { skip, timeout: 600_000 }, () => {
  let fixture: Fixture;
  let neighbour = 0;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "web:1", { files: { "srv/data/index.html": "page\n" } });
    const script = `ip link add out type veth peer name eth9 && ip addr add 192.0.2.1/24 dev out &&
      ip addr add 2001:db8::1/64 dev out nodad && ip link set out up && unshare -n sleep 1000 & sleep 0.3; pid=$!;
      ip link set eth9 netns $pid; nsenter -t $pid -n sh -c 'ip addr add 192.0.2.2/24 dev eth9;
      ip addr add 2001:db8::2/64 dev eth9 nodad; ip link set eth9 up; ip link set lo up'; echo $pid`;
    const made = await fixture.inside(["sh", "-c", script.replaceAll("\n", " ")]);
    neighbour = Number(made.stdout.trim());
    assert.ok(neighbour > 0, made.stderr);
    forwarding = await settings();
  });
  after(async () => {
    if (neighbour > 0) process.kill(neighbour, "SIGKILL");
    await fixture.remove();
  });
  let forwarding = "";

  const settings = async (): Promise<string> => {
    const files = "/proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding";
    return (await fixture.inside(["sh", "-c", `grep . ${files} /proc/sys/net/ipv6/conf/*/accept_ra`])).stdout;
  };
  const ok = async (...args: string[]): Promise<string> => {
    const result = await fixture.cli(args);
    assert.equal(result.status, 0, `${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  const start = async (name: string, ...args: string[]): Promise<void> => {
    const serve = ["web:1", "httpd", "-f", "-p", "80", "-h", "/srv/data"];
    await ok("run", "-d", "--name", name, ...args, ...serve);
    const listening = ["exec", name, "sh", "-c", "netstat -ltn | grep -q ':80 '"];
    await until(async () => (await fixture.cli(listening)).status === 0);
  };
  const ask = (nc: string, address: string, port: number): string =>
    `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | ${nc} -w 1 ${address} ${port} | tail -n 1`;
  const fromHost = async (address: string, port: number): Promise<string> =>
    (await fixture.inside(["sh", "-c", ask("busybox nc", address, port)])).stdout;
  const fromNeighbour = async (address: string, port: number): Promise<string> =>
    (
      await fixture.inside([
        "nsenter",
        "-t",
        String(neighbour),
        "-n",
        "sh",
        "-c",
        ask("busybox nc", address, port),
      ])
    ).stdout;
  const from = (name: string, address: string, port: number): Promise<string> =>
    ok("exec", name, "sh", "-c", ask("nc", address, port));
  /** A server outside of instances; its pid. */
  const server = async (at: string, ...enter: string[]): Promise<number> => {
    const pages = join(fixture.root.path, "pages");
    const script = `mkdir -p ${pages}; echo outside > ${pages}/index.html; busybox httpd -f -p ${at} -h ${pages} >/dev/null 2>&1 & echo $!`;
    const pid = Number((await fixture.inside([...enter, "sh", "-c", script])).stdout.trim());
    assert.ok(pid > 1);
    return pid;
  };
  const proxies = (): number => {
    try {
      return readdirSync(join(fixture.root.path, "network/proxies")).length;
    } catch {
      return 0;
    }
  };

  it("an instance reaches its own published port, and others do, by each of the host's addresses", async () => {
    await start("one", "-p", "8080:80");
    await start("two");
    const [, bridge = ""] = /default via ([\d.]+)/.exec(await ok("exec", "one", "ip", "route")) ?? [];
    for (const address of ["192.0.2.1", bridge]) {
      assert.equal(await from("one", address, 8080), "page\n", `its own by ${address}`);
      assert.equal(await from("two", address, 8080), "page\n", `another's by ${address}`);
      assert.equal(await fromHost(address, 8080), "page\n", `from the host by ${address}`);
    }
    assert.equal(await fromHost("127.0.0.1", 8080), "page\n");
    assert.equal(await fromNeighbour("192.0.2.1", 8080), "page\n");
    // The control: a port that nobody has published.
    assert.equal(await from("one", "192.0.2.1", 8081), "");
    assert.equal(await fromHost("::1", 8080), "", "IPv4 was asked for");
  });

  it("127.0.0.1 of the host is nobody else's: not a neighbour's, not an instance's", async () => {
    const pid = await server("127.0.0.1:7070");
    try {
      await until(async () => (await fromHost("127.0.0.1", 7070)) === "outside\n");
      // Whoever is on the same wire can send us packets for 127.0.0.1.
      const reach = async (from: number, gateway: string): Promise<string> => {
        const hostile = `for f in /proc/sys/net/ipv4/conf/*/route_localnet; do echo 1 > $f; done;
          ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1/32 via ${gateway}; ${ask("busybox nc", "127.0.0.1", 7070)};
          ip route del 127.0.0.1/32; ip addr add 127.0.0.1/8 dev lo`;
        const words = ["nsenter", "-t", String(from), "-n", "sh", "-c", hostile.replaceAll("\n", " ")];
        return (await fixture.inside(words)).stdout;
      };
      const instance = Number((await ok("inspect", "-f", "{{.State.Pid}}", "two")).trim());
      const [, bridge = ""] = /default via ([\d.]+)/.exec(await ok("exec", "two", "ip", "route")) ?? [];
      assert.equal(await reach(neighbour, "192.0.2.1"), "");
      assert.equal(await reach(instance, bridge), "");
      // The control: without the rules the same try comes through.
      const table =
        /table ip (tranship_\w+)/.exec((await fixture.inside(["nft", "list", "tables"])).stdout)?.[1] ?? "";
      await fixture.inside(["nft", "flush", "chain", "ip", table, "guard"]);
      assert.equal(await reach(instance, bridge), "outside\n");
      for (const end of ["daddr", "saddr"])
        await fixture.inside([
          "nft",
          `add rule ip ${table} guard iifname != "lo" ip ${end} 127.0.0.0/8 drop`,
        ]);
      assert.equal(await reach(instance, bridge), "");
    } finally {
      process.kill(pid, "SIGKILL");
    }
  });

  it("publishes on IPv6 where that is asked for, to an instance without it, also by [::1]", async () => {
    await start("six", "-p", "[::]:8086:80", "-p", "[::1]:8087:80");
    assert.match(await ok("port", "six"), /80\/tcp -> \[::\]:8086\n80\/tcp -> \[::1\]:8087\n/);
    for (const address of ["::1", "2001:db8::1"])
      assert.equal(await fromHost(address, 8086), "page\n", address);
    assert.equal(await fromNeighbour("2001:db8::1", 8086), "page\n");
    assert.equal(await fromHost("::1", 8087), "page\n");
    assert.equal(await fromNeighbour("2001:db8::1", 8087), "");
    assert.equal(await fromHost("127.0.0.1", 8086), "");
    const taken = await fixture.cli(["run", "--rm", "-p", "[::1]:8086:80", "web:1", "true"]);
    assert.match(taken.stderr, /E_PORT_TAKEN/);
    assert.equal(proxies(), 1);
    await ok("stop", "-t", "0", "six");
    assert.equal(proxies(), 0);
    assert.equal(await fromHost("::1", 8086), "");
    await ok("start", "six");
    await until(async () => (await fromHost("::1", 8086)) === "page\n");
    await ok("rm", "-f", "six");
  });

  it("gives both families on a network that has them, to the world too, and publishes in both", async () => {
    await ok("network", "create", "--ipv6", "--subnet", "fd77:1::/64", "dual");
    await start("both", "--network", "dual", "-p", "8090:80", "--ip6", "fd77:1::77");
    await start("other", "--network", "dual");
    assert.match(await ok("exec", "both", "ip", "-6", "a"), /inet6 fd77:1::77\/64 scope global/);
    assert.equal(await from("other", "fd77:1::77", 80), "page\n");
    assert.match(await ok("exec", "other", "cat", "/etc/hosts"), /^fd77:1::77\tboth/m);
    assert.match(await ok("port", "both"), /80\/tcp -> 0\.0\.0\.0:8090\n80\/tcp -> \[::\]:8090\n/);
    for (const address of ["127.0.0.1", "::1", "192.0.2.1", "2001:db8::1", "fd77:1::1"])
      assert.equal(await fromHost(address, 8090), "page\n", address);
    for (const address of ["192.0.2.1", "2001:db8::1"]) {
      assert.equal(await fromNeighbour(address, 8090), "page\n", address);
      assert.equal(await from("both", address, 8090), "page\n", `its own by ${address}`);
      assert.equal(await from("one", "192.0.2.1", 8090), "page\n", "from another network");
    }
    // Out to the neighbour, which knows no way back to these addresses but ours.
    const pid = await server("9099", "nsenter", "-t", String(neighbour), "-n");
    await until(async () => (await fromHost("2001:db8::2", 9099)) === "outside\n");
    assert.equal(await from("both", "2001:db8::2", 9099), "outside\n");
    assert.equal(await from("both", "192.0.2.2", 9099), "outside\n");
    process.kill(pid, "SIGKILL");
  });

  it("a proxy ends with its instance, whoever was killed, and settings are as they were after the last", async () => {
    const [pid = ""] = (
      await fixture.inside(["sh", "-c", `cat ${fixture.root.path}/network/proxies/*`])
    ).stdout.split(" ");
    const init = (await ok("inspect", "-f", "{{.State.Pid}}", "both")).trim();
    process.kill(Number(init), "SIGKILL");
    await until(async () => (await fixture.inside(["sh", "-c", `kill -0 ${pid}`])).status !== 0);
    await ok("rm", "-f", "one", "two", "both", "other");
    await ok("network", "rm", "dual");
    await fixture.clean();
    assert.equal(await settings(), forwarding);
    assert.equal(proxies(), 0);
  });
});
