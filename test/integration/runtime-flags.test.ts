// Flags of `run` as docker has them, by what the programs see.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  type CliResult,
  type Fixture,
  mainProgram,
  makeFixture,
  makePackage,
  whyNot,
} from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("flags of run", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let scratch: string;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
    scratch = mkdtempSync(join(tmpdir(), "tranship-flags-"));
  });
  after(async () => {
    await fixture.cli(["rm", "-f", "owner", "flagged"]);
    await fixture.cli(["volume", "rm", "kept"]);
    await fixture.clean();
    await fixture.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  const run = (...words: string[]): Promise<CliResult> => fixture.cli(["run", "--rm", ...words]);
  async function printed(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await run(...words);
    assert.equal(status, 0, `${words.join(" ")}: ${stderr}`);
    return stdout.trim();
  }
  const refused = (message: RegExp, ...words: string[]): Promise<void> => ends(2, message, ...words);

  async function ends(wanted: number, message: RegExp, ...words: string[]): Promise<void> {
    const { status, stderr } = await run(...words);
    assert.equal(status, wanted, `${words.join(" ")}: ${stderr}`);
    assert.match(stderr, message);
  }

  it("--tmpfs: in memory, not executable unless asked for, of the size that is given", async () => {
    const script =
      "stat -c %a /srv/quick; grep /srv/quick /proc/mounts; cp /bin/busybox /srv/quick/true; /srv/quick/true && echo ran";
    const usual = await printed("--tmpfs", "/srv/quick", "box:1", "sh", "-c", `${script} || true`);
    assert.match(usual, /^1777\ntmpfs \/srv\/quick tmpfs rw,nosuid,nodev,noexec,/);
    assert.doesNotMatch(usual, /ran$/);
    const asked = await printed("--tmpfs", "/srv/quick:size=2m,mode=0750,exec", "box:1", "sh", "-c", script);
    assert.match(asked, /^750\ntmpfs .* rw,nosuid,nodev,relatime,size=2048k,mode=750.*\nran$/s);
    const inside = "dd if=/dev/zero of=/srv/quick/x bs=1M count=5";
    assert.equal((await run("--tmpfs", "/srv/quick:size=2m", "box:1", "sh", "-c", inside)).status, 1);
    await refused(/--tmpfs: not an option: "suid"/, "--tmpfs", "/srv/quick:suid", "box:1", "true");
    await refused(/not a mount: "srv"/, "--tmpfs", "srv", "box:1", "true");
    await refused(/two mounts at \/srv\/x/, "--tmpfs", "/srv/x", "-v", "/srv/x", "box:1", "true");
  });

  it("--mount: the longer form of -v and --tmpfs", async () => {
    const folder = join(scratch, "folder");
    mkdirSync(folder);
    writeFileSync(join(folder, "page"), "of the host\n");
    const bind = `type=bind,source=${folder},target=/srv/host`;
    assert.equal(await printed("--mount", bind, "box:1", "cat", "/srv/host/page"), "of the host");
    const write = ["box:1", "touch", "/srv/host/new"];
    assert.equal((await run("--mount", `${bind},readonly`, ...write)).status, 1);
    await printed("--mount", bind, ...write);
    const volume = "source=kept,dst=/srv/data";
    await printed("--mount", volume, "box:1", "touch", "/srv/data/by-mount");
    assert.equal(await printed("-v", "kept:/srv/data", "box:1", "ls", "/srv/data"), "by-mount\nseed.txt");
    const memory = "type=tmpfs,destination=/srv/quick,tmpfs-size=2m,tmpfs-mode=0700";
    assert.match(
      await printed("--mount", memory, "box:1", "grep", "/srv/quick", "/proc/mounts"),
      /noexec.*size=2048k,mode=700/,
    );
    await refused(
      /not a key: "bind-propagation"/,
      "--mount",
      `${bind},bind-propagation=shared`,
      "box:1",
      "true",
    );
    await refused(/not a mount/, "--mount", "type=bind,source=folder,target=/srv/x", "box:1", "true");
    await refused(
      /source is not for type=tmpfs/,
      "--mount",
      "type=tmpfs,source=x,target=/y",
      "box:1",
      "true",
    );
  });

  it("-v: a directory below that of the caller; exec -w tells which directory is not there", async () => {
    const folder = mkdtempSync(join(scratch, "here-"));
    writeFileSync(join(folder, "page"), "of here\n");
    const [program, main] = [process.execPath, mainProgram];
    const inFolder = (volume: string): Promise<CliResult> => {
      const words = ["run", "--rm", "-v", volume, "box:1", "cat", "/srv/here/page"];
      return fixture.inside(["sh", "-c", `cd ${folder} && exec "$@"`, "sh", program, main, ...words]);
    };
    const name = basename(folder);
    for (const volume of [".:/srv/here", `../${name}:/srv/here:ro`, `./../${name}/:/srv/here`])
      assert.equal((await inFolder(volume)).stdout, "of here\n", volume);
    assert.equal((await inFolder(".hidden:/srv/here")).status, 2);

    assert.equal((await fixture.cli(["run", "-d", "--name", "placed", "box:1", "sleep", "600"])).status, 0);
    const entered = await fixture.cli(["exec", "-w", "/nowhere", "placed", "true"]);
    assert.equal(entered.status, 127);
    assert.match(entered.stderr, /E_RUNTIME\]: cannot enter the working directory \/nowhere/);
    assert.equal((await fixture.cli(["rm", "-f", "placed"])).status, 0);
  });

  it("--add-host, --dns, --dns-search and --dns-option: the files of names", async () => {
    const names = ["--add-host", "db:192.0.2.9", "--add-host", "six=[2001:db8::9]"];
    const hosts = await printed(...names, "box:1", "cat", "/etc/hosts");
    assert.match(hosts, /^192\.0\.2\.9\tdb$/m);
    assert.match(hosts, /^2001:db8::9\tsix$/m);
    const given = ["--dns", "192.0.2.53", "--dns", "2001:db8::53", "--dns-search", "example.org"];
    const resolver = await printed(...given, "box:1", "cat", "/etc/resolv.conf");
    assert.match(resolver, /^search example\.org\nnameserver 192\.0\.2\.53\nnameserver 2001:db8::53$/m);
    assert.equal(resolver.match(/^nameserver/gm)?.length, 2);
    await refused(/not a host: "db"/, "--add-host", "db", "box:1", "true");
    const options = ["--dns-option", "ndots:3", "--dns-opt", "rotate"];
    assert.match(await printed(...options, "box:1", "cat", "/etc/resolv.conf"), /^options ndots:3 rotate$/m);
    await refused(/--dns-option: not an option: "a b"/, "--dns-option", "a b", "box:1", "true");
    const there = ["--add-host", "here:host-gateway", "box:1"];
    const route =
      "cat /etc/hosts; while read a b c rest; do [ $b = 00000000 ] && echo via $c; done </proc/net/route; true";
    const seen = await printed(...there, "sh", "-c", route);
    const address = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\there$/m.exec(seen)?.slice(1).map(Number) ?? [];
    const hex = address.reverse().map((part) => part.toString(16).padStart(2, "0"));
    assert.match(seen, new RegExp(`^via ${hex.join("").toUpperCase()}$`, "m"));
    assert.match(await printed("--network", "host", ...there, "cat", "/etc/hosts"), /^127\.0\.0\.1\there$/m);
    await refused(/here cannot be host-gateway without a network/, "--network", "none", ...there, "true");
    await refused(/--dns: not an address: "resolver"/, "--dns", "resolver", "box:1", "true");
    assert.equal((await fixture.cli(["run", "-d", "--name", "owner", "box:1", "sleep", "600"])).status, 0);
    for (const [flag, value] of [
      ["--add-host", "db:192.0.2.9"],
      ["--dns", "192.0.2.53"],
      ["--dns-search", "example.org"],
    ] as const)
      await refused(
        new RegExp(`conflicting options: ${flag} and the network container:owner`),
        ...["--network", "container:owner", flag, value, "box:1", "true"],
      );
  });

  it("--expose: what -P publishes beside the package's own", async () => {
    const words = ["-P", "--expose", "7001-7002", "--expose", "7002/tcp", "--expose", "53/udp"];
    assert.equal(
      (await fixture.cli(["run", "-d", "--name", "flagged", ...words, "box:1", "sleep", "600"])).status,
      0,
    );
    const { stdout } = await fixture.cli(["port", "flagged"]);
    const inside = stdout
      .split("\n")
      .map((line) => line.split(" ")[0])
      .filter(Boolean)
      .sort();
    assert.deepEqual(inside, ["53/udp", "7001/tcp", "7002/tcp"]);
    assert.equal((await fixture.cli(["rm", "-f", "flagged"])).status, 0);
    await refused(/7002-7001/, "--expose", "7002-7001", "box:1", "true");
    await refused(/not a port.*70000|70000/, "--expose", "70000", "box:1", "true");
  });

  it("--cpu-quota of --cpu-period: the share that --cpus says", async () => {
    const cpus = async (...words: string[]): Promise<string> => {
      assert.equal((await fixture.cli(["create", "--name", "flagged", ...words, "box:1", "true"])).status, 0);
      const { stdout } = await fixture.cli(["inspect", "-f", "{{.HostConfig.NanoCpus}}", "flagged"]);
      assert.equal((await fixture.cli(["rm", "flagged"])).status, 0);
      return stdout.trim();
    };
    assert.equal(await cpus("--cpu-quota", "50000"), "500000000");
    assert.equal(await cpus("--cpu-quota", "50000", "--cpu-period", "200000"), "250000000");
    await refused(/conflicting options: --cpus/, "--cpus", "1", "--cpu-quota", "5000", "box:1", "true");
    await refused(/--cpu-period alone/, "--cpu-period", "5000", "box:1", "true");
    await refused(/--cpu-quota: not a number/, "--cpu-quota", "5", "box:1", "true");
  });

  it("exec --env-file, and what docker's verbs have and ours do not", async () => {
    const file = join(scratch, "variables");
    writeFileSync(file, "# of the shop\nSHOP=open house\n");
    assert.equal((await fixture.cli(["run", "-d", "--name", "flagged", "box:1", "sleep", "600"])).status, 0);
    const told = await fixture.cli(["exec", "--env-file", file, "flagged", "sh", "-c", "echo $SHOP"]);
    assert.equal(told.stdout, "open house\n");
    const sizes = await fixture.cli(["inspect", "-s", "-f", "{{.SizeRw}} {{.SizeRootFs}}", "flagged"]);
    const [own = 0, whole = 0] = sizes.stdout.split(" ").map(Number);
    assert.ok(own >= 0 && whole > 1 << 20, sizes.stdout);
    const privileged = await fixture.cli(["exec", "--privileged", "flagged", "true"]);
    assert.equal(privileged.status, 2);
    assert.match(
      privileged.stderr,
      /--privileged is not taken: a command has the capabilities of its instance/,
    );
    assert.equal((await fixture.cli(["rm", "-f", "flagged"])).status, 0);
    const { stdout } = await fixture.cli(["images", "--digests"]);
    assert.match(stdout, /^REPOSITORY +TAG +DIGEST +IMAGE ID.*\nbox +1 +sha256:[0-9a-f]{64} +[0-9a-f]{12}/);
  });

  it("--sysctl: of messages, semaphores and shared memory", async () => {
    const file = "/proc/sys/kernel/shmmni";
    const own = await printed("box:1", "cat", file);
    assert.notEqual(own, "77");
    assert.equal(await printed("--sysctl", "kernel.shmmni=77", "box:1", "cat", file), "77");
    await refused(/--sysctl kernel.panic cannot/, "--sysctl", "kernel.panic=1", "box:1", "true");
  });

  it("--sysctl: of a network of its own", async () => {
    const file = "/proc/sys/net/ipv4/ip_default_ttl";
    const host = readFileSync(file, "utf8");
    const ttl = ["--sysctl", "net.ipv4.ip_default_ttl=17"];
    for (const network of ["none", "bridge"])
      assert.equal(await printed("--network", network, ...ttl, "box:1", "cat", file), "17");
    assert.equal(readFileSync(file, "utf8"), host);
    assert.notEqual(await printed("box:1", "cat", file), "17");
    const named = ["--sysctl", "net.ipv4.conf.eth0.proxy_arp=1"];
    assert.equal(await printed(...named, "box:1", "cat", "/proc/sys/net/ipv4/conf/eth0/proxy_arp"), "1");
    await refused(
      /--sysctl net.ipv4.ip_default_ttl and a network/,
      "--network",
      "host",
      ...ttl,
      "box:1",
      "true",
    );
    await ends(125, /has no setting .*net\/no\/such/, "--sysctl", "net.no.such=1", "box:1", "true");
    await ends(
      125,
      /cannot set .*ip_default_ttl to much/,
      "--sysctl",
      "net.ipv4.ip_default_ttl=much",
      "box:1",
      "true",
    );
    await refused(/cannot be given to one instance/, "--sysctl", "net...core.somaxconn=1", "box:1", "true");
  });

  it("--cidfile, --label-file, -l, --init", async () => {
    const id = join(scratch, "id");
    const labels = join(scratch, "labels");
    writeFileSync(labels, "# of the test\ntier=web\nempty\n");
    const words = ["--cidfile", id, "--label-file", labels, "-l", "tier=data", "-l", "more=1", "--init"];
    const made = await fixture.cli(["create", "--name", "labelled", ...words, "box:1", "true"]);
    assert.equal(made.status, 0, made.stderr);
    assert.equal(readFileSync(id, "utf8"), made.stdout.trim());
    const format = "{{json .Config.Labels}}";
    const told = JSON.parse((await fixture.cli(["inspect", "--format", format, "labelled"])).stdout);
    assert.deepEqual([told.tier, told.empty, told.more], ["data", "", "1"]);
    await refused(/container ID file found/, "--cidfile", id, "box:1", "true");
    assert.equal((await fixture.cli(["rm", "labelled"])).status, 0);
    await printed("--cidfile", join(scratch, "of-run"), "box:1", "true");
    assert.match(readFileSync(join(scratch, "of-run"), "utf8"), /^[0-9a-f]{64}$/);
    assert.equal((await run("--cidfile", join(scratch, "nowhere/id"), "box:1", "true")).status, 125);
  });

  it("--env-file: indented lines, comments, and no names with white space", async () => {
    const file = join(scratch, "variables");
    writeFileSync(file, "  # of the test\n\n  ONE=x y\r\n\tTWO=\n");
    const told = await printed("--env-file", file, "box:1", "sh", "-c", 'echo "$ONE-${TWO-unset}-"');
    assert.equal(told.trim(), "x y--");
    writeFileSync(file, "export ONE=1\n");
    await refused(/not the name of a variable: "export ONE"/, "--env-file", file, "box:1", "true");
  });

  it("what was never started has ended with 0 for wait", async () => {
    assert.equal((await fixture.cli(["create", "--name", "unused", "box:1", "true"])).status, 0);
    assert.equal((await fixture.cli(["wait", "unused"])).stdout, "0\n");
    assert.equal((await fixture.cli(["rm", "unused"])).status, 0);
  });
});
