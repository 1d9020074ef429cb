// A far machine behind a slow link that breaks, and an installer that runs on a copy of it.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type CaptureHost, captureHost, nothingLeft } from "../support/capture.ts";
import { soaking } from "../support/counts.ts";
import { eventually } from "../support/enter.ts";
import { FarMachine, whyNoFar } from "../support/far-machine.ts";
import { until } from "./runtime-fixture.ts";

const skip = whyNoFar();

/** Kernels without netem have no slow loopback: each piece of a connection waits here, both ways, and is passed on in its order. */
const relaySource = `
const net = require("node:net");
const delay = 40;
net.createServer((near) => {
  const far = net.connect(22, "127.0.0.1");
  const pass = (from, to) => {
    from.on("data", (bytes) => setTimeout(() => to.write(bytes), delay));
    from.on("close", () => setTimeout(() => to.destroy(), delay));
    from.on("error", () => {});
  };
  pass(near, far); pass(far, near);
  process.on("SIGUSR2", () => near.destroy());
}).listen(2222, "127.0.0.1", () => console.log("listens"));
`;

/** Returns the relay; SIGUSR2 cuts all connections through it. */
async function slowLink(t: TestContext, host: CaptureHost): Promise<ChildProcess> {
  const words = ["-t", String(host.holder), "-n", process.execPath, "-e", relaySource];
  const relay = spawn("nsenter", words, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => relay.once("exit", resolve));
  t.after(async () => {
    relay.kill("SIGKILL");
    await ended;
  });
  await new Promise((resolve) => relay.stdout?.once("data", resolve));
  return relay;
}

function fetchedBytes(host: CaptureHost): number {
  const top = join(host.state, "fetched");
  if (!existsSync(top)) return 0;
  const names = readdirSync(top, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return names.reduce(
    (sum, one) => sum + (statSync(join(one.parentPath, one.name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

for (const push of soaking ? [true, false] : [true])
  test(`a link of 80 ms that breaks twice: the capture goes on (${push ? "collector" : "--no-push"})`, {
    skip,
  }, async (t) => {
    const host = await captureHost(t);
    const far = await FarMachine.start(t, host);
    const relay = await slowLink(t, host);
    await far.run(
      "mkdir -p /srv/big && head -c 48M /dev/urandom >/srv/big/one && head -c 8M /dev/urandom >/srv/big/two",
    );
    host.rebase();
    const before = far.temporary();
    const words = ["capture", "installed", "-m", "ssh://root@127.0.0.1:2222", "-t", "slow", "--no-closure"];
    const more = ["--include", "/srv/big/**", "--ssh-option", "HostKeyAlias=127.0.0.1"];
    const running = await host.start(
      [...words, ...more, ...(push ? [] : ["--no-push"]), "sudo"],
      far.environment,
    );
    for (const megabytes of [4, 20]) {
      // However slow this host is: it comes, or the tool has ended.
      await Promise.race([until(() => fetchedBytes(host) >= megabytes << 20), running.exit]);
      relay.kill("SIGUSR2");
    }
    const { status, stderr } = await running.exit;
    assert.equal(status, 0, stderr);
    assert.ok((stderr.match(/broke; connecting again/g) ?? []).length >= 2, stderr);
    const verified = await far.tool(["verify", "--read-data", "slow"]);
    assert.equal(verified.status, 0, verified.stdout);
    await eventually("nothing stays on the far side", () => far.temporary().length === before.length);
    await nothingLeft(host);
  });

test("capture process over ssh takes a snapshot of what runs there, and says what it cannot do", {
  skip,
}, async (t) => {
  const host = await captureHost(t);
  const far = await FarMachine.start(t, host);
  const server = `use IO::Socket::INET; open my $words, "<", "/srv/lamp/words" or die;
my $l = IO::Socket::INET->new(LocalPort => 8070, Listen => 5, ReuseAddr => 1) or die;
while (my $c = $l->accept) { seek $words, 0, 0; print $c scalar <$words>; close $c }`;
  await far.run("mkdir -p /srv/lamp && echo 'words of a far lamp' >/srv/lamp/words");
  writeFileSync(far.path("/srv/lamp/server.pl"), server);
  await far.run("cd / && setsid perl /srv/lamp/server.pl </dev/null >/dev/null 2>&1 &");
  host.rebase();
  const before = far.temporary();
  const asks = ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8070 && cat <&3"];
  await until(async () => (await host.inside(asks)).stdout !== "");
  const process = (...words: string[]) => far.tool(["capture", "process", "-m", far.address, ...words]);
  const made = await process("-t", "lamp", "--listening", "8070");
  assert.equal(made.status, 0, made.stderr);
  assert.match(made.stderr, /process \d+ \(\/usr\/bin\/perl\) with 0 others of its own/);
  const why = await far.tool(["why", "lamp", "/srv/lamp/words"]);
  assert.match(why.stdout, /snapshot: open in \/usr\/bin\/perl/);
  const ran = await far.tool(["run", "-d", "--name", "lamp", "-p", "8071:8070", "lamp"]);
  assert.equal(ran.status, 0, ran.stderr);
  const asksPackage = asks.with(-1, asks[2]?.replace("8070", "8071") ?? "");
  await until(async () => (await host.inside(asksPackage)).stdout === "words of a far lamp\n");
  assert.equal((await far.tool(["rm", "-f", "-v", "lamp"])).status, 0);
  // The server that lets us in: neither our session nor the collector is of it.
  const door = await process("--listening", "22", "--plan-only", "--cmd", "/usr/sbin/sshd -D");
  assert.equal(door.status, 0, door.stderr);
  assert.match(door.stderr, /\(\/usr\/sbin\/sshd\) with 0 others of its own/);
  assert.doesNotMatch(door.stdout, /tranship-[0-9a-f]{8}/);
  const refuses = async (says: RegExp, ...words: string[]): Promise<void> => {
    const refused = await process("-t", "x", "--listening", "8070", ...words);
    assert.equal(refused.status, 2, refused.stderr);
    assert.match(refused.stderr, says);
  };
  await refuses(
    /^error\[E_USAGE\]: a program on ssh:.* cannot be watched from here\n.*leave out --for/m,
    "--for",
    "1s",
  );
  await far.run("rm /srv/lamp/words");
  await refuses(
    /\/srv\/lamp\/words was deleted while .* and cannot be recovered from ssh:.*\n.*restart the program there/,
  );
  assert.deepEqual(far.temporary(), before);
  await nothingLeft(host);
});

// Staging a whole Debian takes its time; npm test stages one for capture run.
if (soaking)
  test("capture install runs on a staged copy of a far machine, which stays as it is", {
    skip,
  }, async (t) => {
    const host = await captureHost(t);
    const far = await FarMachine.start(t, host);
    host.rebase();
    const before = far.temporary();
    const script =
      "mkdir -p /opt/lamp && echo 'lamp of 11' >/opt/lamp/words && printf '#!/bin/sh\\nexec cat /opt/lamp/words\\n' >/usr/local/bin/lamp && chmod 755 /usr/local/bin/lamp && echo lamp:x:999:999::/:/bin/sh >>/etc/passwd";
    const words = ["capture", "install", "-m", far.address, "-t", "lamp", "--", "/bin/sh", "-c", script];
    const made = await far.tool(words);
    assert.equal(made.status, 0, made.stderr);
    assert.match(made.stderr, /listing ssh:.* to stage/);
    const why = await far.tool(["why", "lamp", "/opt/lamp/words"]);
    assert.match(why.stdout, /made by the installer/);
    const ran = await far.tool(["run", "--rm", "--network", "none", "lamp", "/usr/local/bin/lamp"]);
    assert.deepEqual([ran.status, ran.stdout], [0, "lamp of 11\n"], ran.stderr);
    await far.run("test ! -e /opt/lamp && ! grep -q lamp /etc/passwd");
    const again = await far.tool(words.with(-1, "exit 3"));
    assert.notEqual(again.status, 0);
    assert.match(again.stderr, /reading ssh:.*: 0 B read/, "what is here is not read again");
    assert.deepEqual(far.temporary(), before);
    await nothingLeft(host);
  });
