// A real sshd in a Debian 11 root: what is read over it, what breaks, and that nothing stays there.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type CaptureHost, captureHost, nothingLeft, tells } from "../support/capture.ts";
import { eventually } from "../support/enter.ts";
import { FarMachine, type FarOptions, farRoot, whyNoFar } from "../support/far-machine.ts";

const skip = whyNoFar();

async function start(
  t: TestContext,
  options: FarOptions = {},
): Promise<{ host: CaptureHost; far: FarMachine }> {
  const host = await captureHost(t);
  const far = await FarMachine.start(t, host, options);
  host.rebase();
  return { host, far };
}

/** A capture that is quick: one small installed package and what is included. */
function small(far: FarMachine, ...more: string[]): string[] {
  return ["capture", "installed", "-m", far.address, "-t", "small", "--no-closure", ...more, "sudo"];
}

/** Files of the cache, whole or under way. */
function fetched(host: CaptureHost): string[] {
  const top = join(host.state, "fetched");
  return existsSync(top)
    ? (readdirSync(top, { recursive: true }) as string[])
        .map((name) => join(top, name))
        .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
    : [];
}

function digest(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** A file on the far machine that takes a while to be read. */
async function bigFile(far: FarMachine, megabytes: number): Promise<string> {
  await far.run(`head -c ${megabytes}M /dev/urandom >/srv/big && touch -d '2020-01-01' /srv/big`);
  return digest(far.path("/srv/big"));
}

async function sizeReached(host: CaptureHost, suffix: string, bytes: number): Promise<void> {
  await eventually(`${bytes} bytes were read`, () =>
    fetched(host).some(
      (path) => path.endsWith(suffix) && (statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= bytes,
    ),
  );
}

test("discover reads the machine with its processes, and leaves it as it was", { skip }, async (t) => {
  const { host, far } = await start(t);
  const before = far.temporary();
  const { status, stdout, stderr } = await far.tool(["discover", far.address, "--format", "json"]);
  assert.equal(status, 0, stderr);
  const inventory = JSON.parse(stdout);
  assert.equal(inventory.identity.hostname, "old-sshd");
  assert.equal(inventory.machine.kind, "ssh");
  const daemon = inventory.processes.find((one: { name: string }) => one.name === "sshd");
  assert.equal(daemon?.executable, "/usr/sbin/sshd");
  assert.ok(
    daemon.files.some((path: string) => path.includes("libcrypto")),
    "its maps",
  );
  assert.ok(
    inventory.sockets.some((one: { port?: number; localPort?: number }) =>
      JSON.stringify(one).includes("22"),
    ),
    "its socket",
  );
  assert.deepEqual(far.temporary(), before);
  await nothingLeft(host);

  // A user without rights is told what is missing; sudo by opt-in reads all.
  const reader = await far.tool(["discover", far.address.replace("root@", "reader@"), "--format", "json"]);
  assert.equal(reader.status, 0, reader.stderr);
  assert.match(reader.stdout, /read as a user without root's rights/);
  assert.match(reader.stdout, /processes keep their files and sockets/);
  const refused = await far.tool(["discover", far.address.replace("root@", "reader@"), "--sudo"]);
  tells(refused, { code: "E_MACHINE_UNREACHABLE", says: /sudo/, hint: /NOPASSWD/ });
  const keeper = await far.tool([
    "discover",
    far.address.replace("root@", "keeper@"),
    "--sudo",
    "--format",
    "json",
  ]);
  assert.equal(keeper.status, 0, keeper.stderr);
  assert.doesNotMatch(keeper.stdout, /keep their files|without root's rights/);
  assert.deepEqual(far.temporary(), before);
  await nothingLeft(host);
});

test("a capture reads each file once; names of any bytes and holes come along", { skip }, async (t) => {
  const { host, far } = await start(t);
  const before = far.temporary();
  const first = await far.tool(small(far, "--include", "/srv/odd/**"));
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stderr, /reading ssh:.* read, 0 B were here already/);
  const second = await far.tool(small(far, "--include", "/srv/odd/**"));
  assert.match(second.stderr, /reading ssh:.*: 0 B read, /);
  // The same content as when the root is read here.
  const here = await far.tool([
    "capture",
    "installed",
    "-m",
    `rootfs:${farRoot()}`,
    "-t",
    "other",
    "--no-closure",
    "--include",
    "/srv/odd/**",
    "sudo",
  ]);
  assert.equal(here.status, 0, here.stderr);
  const layers = async (name: string) => {
    const shown = await far.tool(["inspect", name]);
    const [image] = [JSON.parse(shown.stdout)].flat();
    return (
      image.layers
        // /etc and the like have new times on the overlay of the far machine.
        .filter((one: { origin: string }) => /^(app|runtime)$/.test(one.origin))
        .map((one: { diffId: string }) => one.diffId)
    );
  };
  assert.deepEqual(await layers("small"), await layers("other"));
  await far.run("echo changed >>'/srv/odd/two words'");
  const third = await far.tool(small(far, "--include", "/srv/odd/**"));
  assert.match(third.stderr, /reading ssh:.*: 14 B read, /);
  assert.deepEqual(far.temporary(), before);
  await nothingLeft(host);
});

test("a link that breaks in the middle of a file is made again, and the file goes on where it was", {
  skip,
}, async (t) => {
  const { host, far } = await start(t);
  const before = far.temporary();
  const expected = await bigFile(far, 192);
  const running = await host.start(small(far, "--include", "/srv/big"), far.environment);
  await sizeReached(host, ".part", 4 << 20);
  far.killSessions();
  const { status, stderr } = await running.exit;
  assert.equal(status, 0, stderr);
  assert.match(stderr, /broke; connecting again/);
  assert.deepEqual(fetched(host).filter((path) => digest(path) === expected).length, 1);
  await eventually("nothing stays on the far side", () => far.temporary().length === before.length);
  await nothingLeft(host);
});

test("kill -9 of the tool leaves nothing there and nothing here; the next one goes on", {
  skip,
}, async (t) => {
  const { host, far } = await start(t);
  const expected = await bigFile(far, 192);
  const running = await host.start(small(far, "--include", "/srv/big"), far.environment);
  await sizeReached(host, ".part", 4 << 20);
  process.kill(running.pid, "SIGKILL");
  await running.exit;
  await eventually("the keeper removed the collector", () => far.temporary().length === 0);
  const again = await far.tool(small(far, "--include", "/srv/big"));
  assert.equal(again.status, 0, again.stderr);
  const kept = Number(/ read, ([\d.]+) MiB were here already/.exec(again.stderr)?.[1]);
  assert.ok(kept >= 4, `all was read again: ${again.stderr}`);
  assert.equal(fetched(host).filter((path) => digest(path) === expected).length, 1);
  await nothingLeft(host);
});

test("a machine that goes away for good is given up with a clear error, and its content is kept", {
  skip,
}, async (t) => {
  const { host, far } = await start(t);
  await bigFile(far, 192);
  const running = await host.start(small(far, "--include", "/srv/big"), far.environment);
  await sizeReached(host, ".part", 4 << 20);
  await far.stop();
  tells(await running.exit, {
    code: "E_MACHINE_UNREACHABLE",
    says: /could not be made again in 5 tries/,
    hint: /not read again/,
  });
  await nothingLeft(host);
  assert.ok(fetched(host).some((path) => path.endsWith(".part")));
});

test("who cannot be reached is told why and what to do", { skip }, async (t) => {
  const { host, far } = await start(t);
  const known = join(far.directory, "client/known_hosts");
  const content = readFileSync(known);
  const discover = (address: string, ...more: string[]) => far.tool(["discover", address, ...more]);
  rmSync(known);
  tells(await discover(far.address), {
    code: "E_MACHINE_UNREACHABLE",
    says: /Host key verification failed/,
    hint: /run `ssh (-o \S+ )+root@127\.0\.0\.1` once, compare the fingerprint/,
  });
  assert.equal(existsSync(known), false, "an unknown key is not taken");
  const other = execFileSync("ssh-keygen", ["-y", "-f", join(far.directory, "client/key")], {
    encoding: "utf8",
  });
  writeFileSync(known, `127.0.0.1 ${other}`);
  tells(await discover(far.address), {
    code: "E_MACHINE_UNREACHABLE",
    says: /./,
    hint: /another key than the known one/,
  });
  writeFileSync(known, content);
  tells(await discover("ssh://nobody-here@127.0.0.1"), {
    code: "E_MACHINE_UNREACHABLE",
    says: /Permission denied/,
    hint: /does not let this user in/,
  });
  tells(await discover("ssh://root@127.0.0.1:9"), {
    code: "E_MACHINE_UNREACHABLE",
    says: /Connection refused/,
  });
  tells(await discover(far.address, "--ssh-option", "ProxyJump=root@127.0.0.1:9"), {
    code: "E_MACHINE_UNREACHABLE",
    says: /port 9: Connection refused/,
    hint: /`ssh -o ProxyJump=root@127\.0\.0\.1:9 .* has to work first/,
  });
  tells(await discover("ssh://root@no-such-host.invalid"), {
    code: "E_MACHINE_UNREACHABLE",
    says: /resolve/,
    hint: /host's name/,
  });
  tells(await discover(far.address, "--ssh-option", "StrictHostKeyChecking=no"), {
    code: "E_USAGE",
    status: 2,
    says: /any host for the right one/,
  });
  tells(await discover(far.address, "--ssh-option", "ControlPath=/x"), {
    code: "E_USAGE",
    status: 2,
    says: /settled by Tranship/,
  });
  tells(await discover(far.address, "--ssh-option", "NoSuchOption=1"), {
    code: "E_MACHINE_UNREACHABLE",
    says: /Bad configuration option/i,
    hint: /ssh_config/,
  });
  for (const wrong of [
    "ssh://-oProxyCommand=x",
    "ssh://root@",
    "ssh://a b",
    "ssh://host:0",
    "ssh://host/etc",
    "ssh:host",
  ])
    tells(await discover(wrong), {
      code: "E_MACHINE_UNKNOWN",
      status: 2,
      says: /ssh:/,
      hint: /ssh:\/\/\[user@\]host\[:port\]/,
    });
  await nothingLeft(host);
});

test("a server that knows only old algorithms is read by opt-in, and the hint says which", {
  skip,
}, async (t) => {
  const { host, far } = await start(t, {
    config: [
      "HostKey /etc/ssh/ssh_host_rsa_key",
      "HostKeyAlgorithms ssh-rsa",
      "KexAlgorithms diffie-hellman-group14-sha1",
      "Ciphers aes128-cbc",
      "MACs hmac-sha1",
    ],
  });
  const options: string[] = [];
  let outcome = await far.tool(["discover", far.address]);
  for (let round = 0; outcome.status !== 0 && round < 5; round++) {
    tells(outcome, { code: "E_MACHINE_UNREACHABLE", says: /no matching/, hint: /--ssh-option \w+=\+/ });
    for (const [, word = ""] of outcome.stderr.matchAll(/--ssh-option (\S+=\+\S+)/g))
      options.push("--ssh-option", word);
    outcome = await far.tool(["discover", far.address, ...options]);
  }
  assert.equal(outcome.status, 0, outcome.stderr);
  assert.ok(options.includes("HostKeyAlgorithms=+ssh-rsa"), options.join(" "));
  assert.ok(options.includes("KexAlgorithms=+diffie-hellman-group14-sha1"));
  const environment = options.filter((word) => word.includes("=")).join(" ");
  const again = await far.tool(["discover", far.address], {
    TRANSHIP_SSH_OPTIONS: `${far.environment.TRANSHIP_SSH_OPTIONS} ${environment}`,
  });
  assert.equal(again.status, 0, again.stderr);
  await nothingLeft(host);
});

test("a data base that writes is told, not packed", { skip }, async (t) => {
  const { host, far } = await start(t);
  const database = far.run(
    `install -d -o mysql -g mysql /run/mysqld; mariadbd --user=mysql --skip-networking >/dev/null 2>&1 & server=$!
    for i in $(seq 100); do mariadb-admin ping >/dev/null 2>&1 && break; sleep 0.2; done
    mariadb -e 'CREATE DATABASE IF NOT EXISTS shop; CREATE TABLE IF NOT EXISTS shop.t (id INT AUTO_INCREMENT PRIMARY KEY, note CHAR(200)) ENGINE=InnoDB'
    touch /run/writing
    while [ -e /run/writing ]; do mariadb -e "INSERT INTO shop.t (note) VALUES (RAND()),(RAND()),(RAND())"; done
    mariadb-admin shutdown; wait $server; exit 0`,
  );
  await eventually("the data base writes", () => existsSync(far.path("/run/writing")));
  const words = small(far, "--include", "/var/lib/mysql/**");
  const busy = await far.tool(words);
  tells(busy, { code: "E_SOURCE_CHANGED", says: /\/var\/lib\/mysql\//, hint: /stop what writes/ });
  await nothingLeft(host);
  rmSync(far.path("/run/writing"));
  await database;
  const still = await far.tool(words);
  assert.equal(still.status, 0, still.stderr);
  await nothingLeft(host);
});

test("--dry-run prints what would run and be read, and connects to nothing", { skip }, async (t) => {
  const { host, far } = await start(t);
  const sessions = JSON.stringify(far.sessions());
  for (const words of [
    ["discover", far.address],
    ["assess", far.address],
    small(far),
    ["capture", "machine", "-m", far.address, "-t", "x"],
  ]) {
    const { status, stdout, stderr } = await far.tool([...words, "--dry-run"]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^ {2}ssh -T .* 127\.0\.0\.1 COMMAND$/m);
    assert.match(stdout, /^ {2}sh -c '.*mkdir -m 700 \/tmp\/tranship-RANDOM .*'$/m);
    assert.match(stdout, /exec \/tmp\/tranship-RANDOM\/tree serve \//);
    assert.match(stdout, /^ {2}\/proc\/\*\* /m);
  }
  assert.equal(JSON.stringify(far.sessions()), sessions);
  // Also where nobody would answer.
  const nobody = await far.tool(["discover", "ssh://no-such-host.invalid", "--dry-run", "--format", "json"]);
  assert.equal(nobody.status, 0, nobody.stderr);
  assert.ok(JSON.parse(nobody.stdout).commands.length >= 4);
  await nothingLeft(host);
});

test("whatever runs there is in the list of --dry-run, word for word", { skip }, async (t) => {
  const config = ["HostKey /etc/ssh/ssh_host_ed25519_key", "ForceCommand /root/told"];
  const { host, far } = await start(t, { config });
  await far.run(
    `printf '#!/bin/sh\nprintf "%%s\\\\000" "$SSH_ORIGINAL_COMMAND" >>/root/commands\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n' >/root/told; chmod 755 /root/told`,
  );
  const ways: [words: string[], noexec: boolean, atLeast: number][] = [
    [small(far), false, 3],
    [["discover", far.address, "--no-push"], false, 2],
    // A collector that does not run in /tmp is removed again.
    [["discover", far.address], true, 5],
  ];
  for (const [words, noexec, atLeast] of ways) {
    if (noexec) await far.run("mount -o remount,noexec /tmp");
    rmSync(far.path("/root/commands"), { force: true });
    const done = await far.tool(words);
    assert.equal(done.status, 0, done.stderr);
    const dry = await far.tool([...words, "--dry-run", "--format", "json"]);
    const listed = new Set(JSON.parse(dry.stdout).commands.map((one: { command: string }) => one.command));
    const run = readFileSync(far.path("/root/commands"), "latin1").split("\0").slice(0, -1);
    const named = run.map((command) => command.replace(/tranship-[0-9a-f]{32}/g, "tranship-RANDOM"));
    assert.ok(new Set(named).size >= atLeast, named.join("\n"));
    assert.deepEqual(
      named.filter((command) => !listed.has(command)),
      [],
    );
  }
  await nothingLeft(host);
});

test("capture run and test --against run on a staged copy; the plan means the machine itself", {
  skip,
}, async (t) => {
  const { host, far } = await start(t);
  const before = far.temporary();
  const words = ["-m", far.address, "-t", "traced", "--", "/usr/bin/perl", "-e", "use POSIX; print 42"];
  const first = await far.tool(["capture", "run", ...words]);
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stderr, /listing ssh:.* to stage/);
  assert.match(first.stderr, /reading ssh:.*: 0 B read, .* were here already/, "packing reads nothing again");
  const shown = await far.tool(["why", "traced", "/usr/bin/perl"]);
  assert.match(shown.stdout, /traced/);
  const compared = await far.tool(["test", "traced", "--against", far.address]);
  assert.equal(compared.status, 0, compared.stderr + compared.stdout);
  assert.deepEqual(far.temporary(), before);
  await nothingLeft(host);
});
