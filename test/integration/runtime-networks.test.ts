// Networks that people make: apart from each other, with names, joined and left while an instance runs.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("networks of one's own", { skip, timeout: 600_000 }, () => {
  let fixture: Fixture;
  /** Programs that ask the C library for names, with both libraries; static, as these have nothing to help them. */
  let tools: string;
  before(async () => {
    fixture = await makeFixture();
    tools = mkdtempSync(join(tmpdir(), "tranship-resolve-"));
    const source = join(import.meta.dirname, "../fixtures/resolve.c");
    for (const [compiler, name] of [
      ["gcc", "resolve"],
      ["musl-gcc", "resolve-musl"],
    ] as const)
      execFileSync(compiler, ["-O1", "-static", "-w", "-o", join(tools, name), source], { stdio: "pipe" });
    await makePackage(fixture.root, "web:1", { files: { "srv/data/index.html": "page\n" } });
    const out =
      "ip link add out type veth peer name far && ip addr add 192.0.2.1/24 dev out && ip link set out up";
    assert.equal((await fixture.inside(["sh", "-c", out])).status, 0);
  });
  after(async () => {
    await fixture.remove();
    rmSync(tools, { recursive: true, force: true });
  });

  const cli = (...args: string[]) => fixture.cli(args);
  const ok = async (...args: string[]): Promise<string> => {
    const result = await fixture.cli(args);
    assert.equal(result.status, 0, `${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  const refused = async (pattern: RegExp, ...args: string[]): Promise<void> => {
    const result = await fixture.cli(args);
    assert.notEqual(result.status, 0, args.join(" "));
    assert.match(result.stderr, pattern);
  };
  const serve = ["httpd", "-f", "-p", "80", "-h", "/srv/data"];
  const start = async (name: string, ...args: string[]): Promise<void> => {
    await ok("run", "-d", "--name", name, "-v", `${tools}:/tools:ro`, ...args, "web:1", ...serve);
    const listening = ["exec", name, "sh", "-c", "netstat -ltn | grep -q ':80 '"];
    await until(async () => (await fixture.cli(listening)).status === 0);
  };
  const hosts = (name: string) => ok("exec", name, "cat", "/etc/hosts");
  const get = async (from: string, host: string): Promise<string> => {
    const [name = "", port = "80"] = host.split(":");
    // busybox itself is linked so that it has no names.
    const script = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 $(/tools/resolve ${name}) ${port} | tail -n 1`;
    return (await cli("exec", from, "sh", "-c", script)).stdout;
  };
  const addressOf = async (name: string, network: string): Promise<string> =>
    (await ok("inspect", "-f", `{{.NetworkSettings.Networks.${network}.IPAddress}}`, name)).trim();
  const devices = async (): Promise<string[]> =>
    (await fixture.inside(["ls", "/proc/self/net/dev_snmp6"])).stdout
      .split("\n")
      .filter((name) => /^t[rs]/.test(name));

  it("makes, lists and shows them as docker does, and refuses what cannot be", async () => {
    const id = (await ok("network", "create", "--label", "of=shop", "front")).trim();
    assert.match(id, /^[0-9a-f]{64}$/);
    await ok(
      "network",
      "create",
      "--subnet",
      "10.250.3.0/24",
      "--gateway",
      "10.250.3.9",
      "--ip-range",
      "10.250.3.64/30",
      "--internal",
      "back",
    );
    assert.match(
      await ok("network", "ls"),
      /^NETWORK ID +NAME +DRIVER +SCOPE\n[0-9a-f]{12} +bridge +bridge +local\n/,
    );
    assert.equal(
      await ok("network", "ls", "-f", "type=custom", "--format", "{{.Name}} {{.Internal}} {{.IPv6}}"),
      "back true false\nfront false false\n",
    );
    assert.equal(await ok("network", "ls", "-q", "-f", "label=of=shop"), `${id.slice(0, 12)}\n`);
    assert.equal(await ok("network", "ls", "-q", "--no-trunc", "-f", "name=fron"), `${id}\n`);
    assert.equal(
      await ok("network", "inspect", "-f", "{{json .IPAM.Config}}", "back"),
      '[{"Subnet":"10.250.3.0/24","IPRange":"10.250.3.64/30","Gateway":"10.250.3.9"}]\n',
    );
    assert.equal(await ok("network", "inspect", "-f", "{{.Name}}", id.slice(0, 6)), "front\n");
    await refused(/E_NAME_TAKEN.*network with name front already exists/, "network", "create", "front");
    await refused(/predefined network bridge/, "network", "create", "bridge");
    await refused(
      /collides with 192\.0\.2\.0\/24 on out/,
      "network",
      "create",
      "--subnet",
      "192.0.2.128/25",
      "x",
    );
    await refused(/collides with the network back/, "network", "create", "--subnet", "10.250.0.0/16", "x");
    await refused(
      /no part of/,
      "network",
      "create",
      "--subnet",
      "10.251.0.0/24",
      "--ip-range",
      "10.252.0.0/28",
      "x",
    );
    await refused(
      /no gateway of/,
      "network",
      "create",
      "--subnet",
      "10.251.0.0/24",
      "--gateway",
      "10.252.0.1",
      "x",
    );
    await refused(/no network driver/, "network", "create", "-d", "overlay", "x");
    await refused(/pre-defined/, "network", "rm", "host");
    await refused(/no such network: nobody/, "network", "rm", "nobody");
    await ok("network", "rm", "-f", "nobody");
    await refused(/no such network: nobody/, "run", "--rm", "--network", "nobody", "web:1", "true");
    assert.deepEqual(await devices(), [], "nothing is on the host before an instance is");
  });

  it("instances of a network know each other by name, alias and id, and those of others not at all", async () => {
    await start("db", "--network", "front", "--network-alias", "database.old");
    await start("web", "--network", "front");
    await start("alone");
    const address = await addressOf("db", "front");
    const id = (await ok("inspect", "-f", "{{.Id}}", "db")).slice(0, 12);
    for (const name of ["db", "database.old", id, address])
      assert.equal(await get("web", name), "page\n", name);
    assert.equal(await get("db", "web"), "page\n", "one that came later");
    for (const program of ["resolve", "resolve-musl"])
      assert.equal(
        await ok("exec", "web", `/tools/${program}`, "db", "database.old"),
        `${address}\n${address}\n`,
        program,
      );
    assert.doesNotMatch(await hosts("alone"), /\t(db|web)\b/);
    assert.equal(await get("alone", address), "", "networks are kept apart");
    assert.equal(await get("web", await addressOf("alone", "bridge")), "");
    // A line of the package for the same name is out of force: a C library would give both addresses.
    assert.match(await hosts("web"), /^#aside 192\.0\.2\.7 database\.old$/m);
    assert.match(await hosts("alone"), /^192\.0\.2\.7 database\.old$/m);
    assert.match(await ok("ps", "--format", "{{.Names}} {{.Networks}}"), /db front\n/);
  });

  it("names follow rename, end, and a start at another address; what the instance wrote stays", async () => {
    await ok("exec", "web", "sh", "-c", "echo 192.0.2.77 mine >> /etc/hosts");
    await ok("rename", "db", "maria");
    assert.equal(await get("web", "maria"), "page\n");
    assert.doesNotMatch(await hosts("web"), /\tdb\b/);
    const before = await addressOf("maria", "front");
    await ok("stop", "-t", "0", "maria");
    assert.doesNotMatch(await hosts("web"), /maria/);
    assert.match(await hosts("web"), /^192\.0\.2\.7 database\.old$/m, "the package's own line is back");
    await ok("network", "disconnect", "front", "maria");
    // Somebody else has its address meanwhile.
    await ok("run", "-d", "--name", "other", "--network", "front", "--ip", before, "web:1", ...serve);
    await ok("network", "connect", "--alias", "database.old", "front", "maria");
    await ok("start", "maria");
    assert.notEqual(await addressOf("maria", "front"), before);
    await until(async () => (await get("web", "maria")) === "page\n");
    assert.match(await hosts("web"), /^192\.0\.2\.77 mine$/m);
    await ok("rm", "-f", "other");
  });

  it("connects and disconnects what runs: device, route, names and ports follow", async () => {
    await ok("network", "connect", "--ip", "10.250.3.7", "back", "web");
    await refused(/endpoint already exists in network back/, "network", "connect", "back", "web");
    await refused(
      /not free in 10\.250\.3\.0\/24/,
      "network",
      "connect",
      "--ip",
      "10.250.3.9",
      "back",
      "maria",
    );
    await start("hidden", "--network", "back");
    assert.match(await addressOf("hidden", "back"), /^10\.250\.3\.6[4-7]$/, "of the range");
    assert.equal(await get("web", "hidden"), "page\n");
    assert.equal(await get("hidden", "web"), "page\n");
    assert.equal(await ok("exec", "hidden", "sh", "-c", "ip route | grep default; true"), "", "no way out");
    assert.match(await ok("exec", "web", "ip", "-4", "a"), /10\.250\.3\.7\/24.*eth1/);
    assert.equal(await get("maria", "hidden"), "");
    // To the network that leads outside, from one that does not.
    await ok("network", "connect", "front", "hidden");
    assert.match(await ok("exec", "hidden", "ip", "route"), /^default via/m);
    assert.equal(await get("hidden", "maria"), "page\n");
    await ok("network", "disconnect", "front", "web");
    assert.equal(await ok("exec", "web", "sh", "-c", "ip route | grep default; true"), "");
    assert.doesNotMatch(await hosts("maria"), /\tweb\b/);
    await refused(/not connected to network front/, "network", "disconnect", "front", "web");
    assert.equal(
      await ok("network", "inspect", "-f", "{{range .Containers}}{{.Name}} {{end}}", "back"),
      "hidden web \n",
    );
    await refused(
      /cannot be connected to any other/,
      "network",
      "connect",
      "back",
      (
        await ok(
          "run",
          "-d",
          "--network",
          "host",
          "web:1",
          "sh",
          "-c",
          "trap exit TERM; while :; do sleep 0.1; done",
        )
      ).trim(),
    );
  });

  it("a published port follows its instance to another network", async () => {
    await start("shown", "--network", "front", "-p", "8080:80");
    const ask = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 1 127.0.0.1 8080 | tail -n 1";
    const page = async () => (await fixture.inside(["sh", "-c", ask])).stdout;
    assert.equal(await page(), "page\n");
    assert.equal(await get("alone", "192.0.2.1:8080"), "page\n", "a published port crosses networks");
    await ok("network", "connect", "bridge", "shown");
    await ok("network", "disconnect", "front", "shown");
    assert.equal(await page(), "page\n");
    await ok("network", "disconnect", "bridge", "shown");
    assert.equal(await page(), "");
    await refused(
      /cannot be published on the internal network back/,
      "run",
      "--rm",
      "--network",
      "back",
      "-p",
      "8081:80",
      "web:1",
      "true",
    );
  });

  it("is on several networks from its start, keeps them over a restart, and is found at each", async () => {
    await start(
      "both",
      "--network",
      "name=front,alias=first",
      "--network",
      "name=back,alias=second,ip=10.250.3.8",
    );
    await ok("restart", "-t", "0", "both");
    await until(async () => (await get("maria", "first")) === "page\n");
    assert.equal(await get("hidden", "second"), "page\n");
    assert.equal(await addressOf("both", "back"), "10.250.3.8");
    await refused(
      /host cannot be one of several/,
      "run",
      "--rm",
      "--network",
      "front",
      "--network",
      "host",
      "web:1",
      "true",
    );
    await refused(
      /only for instances in user defined networks/,
      "run",
      "--rm",
      "--network-alias",
      "x",
      "web:1",
      "true",
    );
  });

  it("rm and prune leave what is used; nothing is left after the last", async () => {
    await refused(/E_NETWORK_IN_USE.*network front is used by/, "network", "rm", "front");
    await ok("network", "create", "unused");
    assert.equal(await ok("network", "prune", "--dry-run"), "unused\n");
    assert.equal(await ok("network", "prune", "-f"), "Deleted Networks:\nunused\n");
    const bridges = async () => (await devices()).filter((name) => name.startsWith("tr")).length;
    assert.equal(await bridges(), 3);
    const names = (await ok("ps", "-a", "--format", "{{.Names}}")).trim().split("\n");
    const onBack = names.filter((name) => ["web", "hidden", "both"].includes(name));
    await ok("rm", "-f", ...onBack);
    assert.equal(await bridges(), 2, "a bridge goes with the last of its own network");
    await ok("network", "rm", "back");
    await ok("rm", "-f", ...names.filter((name) => !onBack.includes(name)));
    await ok("network", "rm", "front");
    await fixture.clean();
  });
});
