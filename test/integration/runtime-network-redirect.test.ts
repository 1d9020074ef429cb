// Addresses and names of the old machine that lead elsewhere in an instance: package.network redirections and --connect.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { innerRules } from "../../src/runtime/network/inner-rules.ts";
import { type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("redirections of the network", { skip, timeout: 600_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "web:1", { files: { "srv/data/index.html": "page\n" } });
    await makePackage(fixture.root, "old:1", {
      files: { "srv/data/index.html": "own\n" },
      descriptor: {
        redirections: {
          files: [],
          network: [
            { kind: "connect", from: "192.168.2.1:13000", to: "127.0.0.1:12000" },
            { kind: "connect", from: "[fd99::1]:13000", to: "[::1]:12000" },
            { kind: "bind", from: "192.168.2.9:8080", to: "*:8000" },
            { kind: "name", from: "database.old", to: "db" },
            { kind: "name", from: "mail.old", to: "192.0.2.25" },
          ],
          registry: [],
        },
      },
    });
  });
  before(async () => {
    const network = [{ kind: "connect", from: "192.168.2.1:13000", to: "127.0.0.1:12000" } as const];
    await makePackage(fixture.root, "alone:1", {
      files: { "srv/data/index.html": "own\n" },
      descriptor: { redirections: { files: [], network, registry: [] } },
    });
  });
  after(async () => {
    await fixture.remove();
  });

  const ok = async (...args: string[]): Promise<string> => {
    const result = await fixture.cli(args);
    assert.equal(result.status, 0, `${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  const ask = (address: string, port: number): string =>
    `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 ${address} ${port} | tail -n 1`;
  const get = (name: string, address: string, port: number) =>
    ok("exec", name, "sh", "-c", ask(address, port));
  const listens = (name: string, port: number) =>
    until(
      async () =>
        (await fixture.cli(["exec", name, "sh", "-c", `netstat -ltn | grep -q ':${port} '`])).status === 0,
    );
  const serve = (at: string) => ["httpd", "-f", "-p", at, "-h", "/srv/data"];

  it("become rules that the kernel takes, in each form that a descriptor may have", async () => {
    const ends = ["1.2.3.4:1", "1.2.3.4", "*:1", "0.0.0.0:80", "127.0.0.1:80"];
    const ends6 = ["[fd00::1]:1", "fd00::1", "[::]:80", "[::1]:80", "*:1"];
    const all = [ends, ends6].flatMap((list) =>
      (["connect", "bind"] as const).flatMap((kind) =>
        list.flatMap((from) => [...list, "*"].map((to) => ({ kind, from, to }))),
      ),
    );
    // Rules of all of them in one table: none is about another.
    const text = innerRules(all, ["10.0.0.1"])?.text ?? "";
    const checked = await fixture.inside(["nft", "-c", "-f", "-"], { input: text });
    assert.equal(checked.status, 0, `${checked.stderr}${text}`);
  });

  it("lead programs to another address, also where there is no network, and cannot be taken away", async () => {
    await ok("network", "create", "front");
    await ok("run", "-d", "--name", "db", "--network", "front", "web:1", ...serve("80"));
    await ok("run", "-d", "--name", "old", "--network", "front", "old:1", ...serve("[::]:12000"));
    await listens("old", 12000);
    assert.equal(await get("old", "192.168.2.1", 13000), "own\n");
    assert.equal(await get("old", "fd99::1", 13000), "own\n");
    // The control: another port of that address, and an instance without the redirection.
    assert.equal(await get("old", "192.168.2.1", 13001), "");
    assert.equal(await get("db", "192.168.2.1", 13000), "");
    const alone = `httpd -p 12000 -h /srv/data; ${ask("192.168.2.1", 13000)}`;
    assert.equal(await ok("run", "--rm", "--network", "none", "alone:1", "sh", "-c", alone), "own\n");
    // Rules belong to the namespace: without the capability nobody in it changes them.
    const flush = "ip addr add 192.168.2.1/32 dev lo; echo $?";
    assert.match(await ok("exec", "old", "sh", "-c", flush), /[1-9]\d*\n$/);
    const seen = await ok(
      "inspect",
      "-f",
      "{{range .NetworkRedirections}}{{.Kind}} {{.From}} {{.To}} {{.By}};{{end}}",
      "old",
    );
    assert.match(seen, /^connect 192\.168\.2\.1:13000 127\.0\.0\.1:12000 package;/);
  });

  it("names follow an instance of the network, or stand for an address", async () => {
    const hosts = await ok("exec", "old", "cat", "/etc/hosts");
    assert.match(hosts, /^10\.229\.\d+\.\d+\tdb [0-9a-f]{12} database\.old$/m);
    assert.match(hosts, /^192\.0\.2\.25\tmail\.old$/m);
    assert.match(hosts, /^#aside 192\.0\.2\.7 database\.old$/m);
    const refused = await fixture.cli(["run", "--rm", "old:1", "true"]);
    assert.match(refused.stderr, /database\.old is redirected to db, which has no address here/);
  });

  it("a program that binds an address of the old machine is reached at another", async () => {
    await ok(
      "run",
      "-d",
      "--name",
      "bound",
      "--network",
      "front",
      "-p",
      "8088:8000",
      "old:1",
      ...serve("192.168.2.9:8080"),
    );
    await listens("bound", 8080);
    const address = (await ok("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "bound")).trim();
    assert.equal(await get("db", address, 8000), "own\n");
    assert.equal(await get("bound", "127.0.0.1", 8000), "own\n");
    const host = await fixture.inside(["sh", "-c", ask("127.0.0.1", 8088).replace("nc", "busybox nc")]);
    assert.equal(host.stdout, "own\n");
    const control = await fixture.cli(["run", "--rm", "web:1", ...serve("192.168.2.9:8080")]);
    assert.match(control.stderr, /bind/, "without it there is no such address");
  });

  it("what asks or listens on loopback is led to another machine, and reached from one", async () => {
    const network = [{ kind: "bind", from: "127.0.0.1:3306", to: "*:3306" } as const];
    await makePackage(fixture.root, "shy:1", {
      files: { "srv/data/index.html": "shy\n" },
      descriptor: { redirections: { files: [], network, registry: [] } },
    });
    await ok("run", "-d", "--name", "shy", "--network", "front", "shy:1", ...serve("127.0.0.1:3306"));
    await listens("shy", 3306);
    const address = (await ok("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "shy")).trim();
    const asks = ["--network", "front", "--connect", `127.0.0.1:3306=${address}:3306`, "web:1", "sh", "-c"];
    assert.equal(await ok("run", "--rm", ...asks, ask("127.0.0.1", 3306)), "shy\n");
    // Not what is on loopback without being led: neither another port from outside, nor by a packet for 127.0.0.1.
    await ok("exec", "-d", "shy", ...serve("127.0.0.1:3307"));
    await listens("shy", 3307);
    assert.equal(await ok("run", "--rm", ...asks, ask(address, 3307)), "");
    await ok("rm", "-f", "shy");
  });

  it("--connect does the same from the command line, and what is none is told", async () => {
    const address = (await ok("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "db")).trim();
    const script = ask("203.0.113.5", 3306);
    const words = ["--connect", `203.0.113.5:3306=${address}:80`, "web:1", "sh", "-c", script];
    assert.equal(await ok("run", "--rm", "--network", "front", ...words), "page\n");
    const sameAddress = ["--connect", `${address}:3307=*:80`, "web:1", "sh", "-c", ask(address, 3307)];
    assert.equal(await ok("run", "--rm", "--network", "front", ...sameAddress), "page\n");
    const refused = await fixture.cli(["run", "--rm", "--connect", "nowhere", "web:1", "true"]);
    assert.equal(refused.status, 2, refused.stderr);
    await ok("rm", "-f", "db", "old", "bound");
    await ok("network", "rm", "front");
    await fixture.clean();
  });
});
