// Redirections of files in the namespace engine: what an instance sees, what it keeps, what of the host it is shown, and what is refused.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { FileRedirection } from "../../src/package/descriptor.ts";
import { type CliResult, type Fixture, makeFixture, makePackage, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

const rule = (
  from: string,
  to: string,
  match: FileRedirection["match"],
  mode: FileRedirection["mode"],
): FileRedirection => ({ from, to, match, mode });

describe("redirections in namespaces", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let host: string;
  before(async () => {
    fixture = await makeFixture();
    host = mkdtempSync(join(tmpdir(), "tranship-redirect-"));
    for (const name of ["both", "host-only", "shadow"])
      writeFileSync(join(host, name), `${name} of the host\n`);
    mkdirSync(join(host, "deep"));
    writeFileSync(join(host, "deep/x"), "x of the host\n");
    await makePackage(fixture.root, "box:1", {
      files: {
        "srv/legacy/app.conf": "of the package\n",
        "srv/legacy/both": "both of the package\n",
        "srv/legacy/sub/deep": "deep\n",
        "srv/one": "one\n",
        "opt/old/here": "here\n",
        "opt/old/gone": "gone\n",
        "opt/odd: na,me/x": "odd\n",
        "etc/app/secret": "hidden\n",
      },
      descriptor: {
        redirections: {
          files: [
            rule("/opt/legacy", "/srv/legacy", "folder", "full"),
            rule("/opt/fixed", "/srv/legacy", "folder", "read-only"),
            rule("/opt/copy", "/srv/legacy", "folder", "write-copy"),
            rule("/opt/copy/app.conf", "/srv/one", "exact", "full"),
            rule("/opt/old/gone", "/", "folder", "hide"),
            rule("/etc/app", "/", "folder", "hide"),
            rule("/etc/app/one", "/srv/one", "exact", "full"),
            rule("/etc/one.conf", "/srv/one", "exact", "write-copy"),
            rule("/opt/named: a,b", "/opt/odd: na,me", "folder", "write-copy"),
          ],
          network: [],
          registry: [],
        },
      },
    });
  });
  after(async () => {
    rmSync(host, { recursive: true, force: true });
    await fixture.remove();
  });

  const cli = (...args: string[]): Promise<CliResult> => fixture.cli(args);
  const sh = (script: string, ...flags: string[]): Promise<CliResult> =>
    cli("run", "--rm", "--network", "none", ...flags, "box:1", "sh", "-c", script);
  const says = async (script: string, ...flags: string[]): Promise<string> => {
    const { stdout, stderr, status } = await sh(script, ...flags);
    assert.equal(status, 0, stderr);
    return stdout;
  };

  it("each mode shows and takes what it promises", async () => {
    assert.equal(
      await says("cat /opt/legacy/app.conf /opt/fixed/both"),
      "of the package\nboth of the package\n",
    );
    assert.equal(
      await says("echo new > /opt/legacy/app.conf; cat /srv/legacy/app.conf /opt/fixed/app.conf"),
      "new\nnew\n",
    );
    assert.match((await sh("echo new > /opt/fixed/app.conf")).stderr, /Read-only file system/);
    assert.equal(
      await says("echo new > /opt/copy/both; cat /opt/copy/both /srv/legacy/both"),
      "new\nboth of the package\n",
    );
    assert.equal(
      await says("cat /opt/copy/app.conf; ls /opt/old; ls -a /etc/app; cat /etc/app/one"),
      "one\nhere\n.\n..\none\none\n",
    );
    assert.equal(
      await says("echo mine > /etc/new && mv /etc/new /etc/one.conf && cat /etc/one.conf /srv/one"),
      "mine\none\n",
    );
    assert.equal(await says("cat '/opt/named: a,b/x'"), "odd\n");
    await fixture.clean();
  });

  it("the instance's own copies are there after a restart, in diff and cp, and go with it", async () => {
    const id = (await cli("create", "--name", "kept", "--network", "none", "box:1", "sh", "-c",
      "echo x >> /opt/copy/new; echo y >> /opt/legacy/new; cat /opt/copy/new")).stdout.trim(); // biome-ignore format: one command
    for (let i = 0; i < 2; i++) {
      assert.equal((await cli("start", "kept")).status, 0);
      assert.equal((await cli("wait", "kept")).stdout, "0\n");
    }
    assert.equal((await cli("logs", "kept")).stdout, "x\nx\nx\n");
    const changes = (await cli("diff", "kept")).stdout;
    assert.equal(changes, "C /opt/copy\nA /opt/copy/new\nC /srv\nC /srv/legacy\nA /srv/legacy/new\n");
    const copied = join(fixture.root.path, "copied");
    for (const [from, text] of [
      ["/opt/copy/new", "x\nx\n"],
      ["/opt/legacy/new", "y\ny\n"],
      ["/opt/fixed/both", "both of the package\n"],
    ] as const) {
      assert.equal((await cli("cp", `kept:${from}`, copied)).status, 0, from);
      assert.equal(readFileSync(copied, "utf8"), text);
    }
    const [shown] = JSON.parse((await cli("inspect", "kept")).stdout) as [
      { Redirections: { From: string; As: string }[] },
    ];
    assert.equal(shown.Redirections.find((one) => one.From === "/opt/copy")?.As, "overlay");
    assert.ok(id.length === 64);
    assert.equal((await cli("rm", "kept")).status, 0);
    await fixture.clean();
  });

  it("flags come before the package's rules", async () => {
    assert.equal(await says("cat /opt/legacy/here", "--redirect", "/opt/legacy=/opt/old"), "here\n");
    assert.equal(
      await says("ls /opt", "--redirect", "/opt/legacy=:hide", "--redirect", "/opt/old=:hide"),
      "copy\nfixed\nnamed: a,b\nodd: na,me\n",
    );
    assert.match((await sh("true", "--redirect", "/a=b")).stderr, /E_USAGE.*redirection/);
  });

  it("nothing of the host is seen unless a person names it", async () => {
    const folder = ["--redirect", `${host}=/srv/legacy:write-copy`];
    assert.equal(await says(`ls ${host}`, ...folder), "app.conf\nboth\nsub\n");
    const allowed = [...folder, "--allow-host", host];
    assert.equal(await says(`ls ${host}; cat ${host}/both ${host}/host-only ${host}/deep/x`, ...allowed),
      "app.conf\nboth\ndeep\nhost-only\nshadow\nsub\nboth of the package\nhost-only of the host\nx of the host\n"); // biome-ignore format: one result
    assert.equal(
      await says(
        `echo new > ${host}/host-only; rm ${host}/deep/x; cat ${host}/host-only; ls ${host}/deep`,
        ...allowed,
      ),
      "new\n",
    );
    assert.equal(readFileSync(join(host, "host-only"), "utf8"), "host-only of the host\n");
    assert.equal(readFileSync(join(host, "deep/x"), "utf8"), "x of the host\n");
    const merged = ["--redirect", `${host}/shadow=/none:merged`];
    assert.match((await sh("true", ...merged)).stderr, /E_REDIRECTION.*\n.*--allow-host/);
    assert.equal(
      await says(`cat ${host}/shadow; echo new > ${host}/shadow`, ...merged, "--allow-host", host),
      "shadow of the host\n",
    );
    assert.equal(readFileSync(join(host, "shadow"), "utf8"), "new\n");
    await fixture.clean();
  });

  it("secrets, the state root and the kernel's files of the host stay its own", async () => {
    assert.match(
      (await sh("true", "--allow-host", fixture.root.path, "--redirect", "/x=/srv")).stderr,
      /E_USAGE/,
    );
    const etc = ["--redirect", "/etc=/etc/app:write-copy", "--allow-host", "/etc"];
    const files = await fixture.inside(["ls", "/etc/shadow"]);
    assert.equal(files.status, 0, "the control: this host has one");
    assert.equal((await sh("cat /etc/shadow", ...etc)).status, 1);
    const named = ["--redirect", "/etc/shadow=/none:merged", "--allow-host"];
    assert.match((await sh("true", ...named, "/etc")).stderr, /E_REDIRECTION/);
    assert.equal((await sh("test -s /etc/shadow", ...named, "/etc/shadow")).status, 0);
    symlinkSync("/etc/shadow", join(host, "link"));
    assert.match(
      (await sh("true", "--redirect", `${host}/link=/none:merged`, "--allow-host", host)).stderr,
      /E_REDIRECTION/,
    );
  });

  it("a rule leads into a volume, and shows volumes below what it leads to", async () => {
    const flags = ["--redirect", "/opt/app=/data/app", "--redirect", "/opt/srv=/srv", "-v", "named:/data"];
    assert.equal((await sh("mkdir /data/app", "-v", "named:/data")).status, 0);
    assert.equal(
      await says("echo kept > /opt/app/x; cat /data/app/x /opt/srv/legacy/both", ...flags),
      "kept\nboth of the package\n",
    );
    assert.equal(await says("cat /opt/app/x", ...flags), "kept\n");
    const below = ["-v", "named:/srv/legacy/vol", "--redirect", "/opt/view=/srv/legacy"];
    assert.equal(
      await says(
        "cat /opt/view/vol/app/x; echo new > /opt/view/vol/app/x; cat /srv/legacy/vol/app/x",
        ...below,
      ),
      "kept\nnew\n",
    );
  });

  it("a command that dies while it makes them leaves nothing", async () => {
    const steps = join(fixture.root.path, "steps");
    await fixture.cli(["create", "--network", "none", "--name", "steps", "box:1"], {
      env: { TRANSHIP_STEPS_FILE: steps },
    });
    const at = readFileSync(steps, "utf8")
      .split("\n")
      .map((line) => line.split(" "))
      .filter(([, name]) => name === "redirections" || name === "instance");
    assert.equal((await cli("rm", "steps")).status, 0);
    rmSync(steps);
    assert.ok(at.length >= 2);
    for (const [number = ""] of at) {
      const died = await fixture.cli(["create", "--network", "none", "--name", "dead", "box:1"], {
        env: { TRANSHIP_CRASH_AT: number },
      });
      assert.equal(died.status, 137);
      assert.equal((await cli("ps", "-a", "-q")).stdout, "");
      assert.equal(await says("cat /opt/legacy/app.conf"), "of the package\n");
      await fixture.clean();
    }
  });

  it("what mounts cannot do is refused with the reason before anything is made", async () => {
    const { stderr, status } = await sh(
      "true",
      "--redirect",
      "/opt/legacy/sub=:hide",
      "--redirect",
      "/proc/x=/srv",
    );
    assert.equal(status, 125);
    assert.match(stderr, /E_REDIRECTION/);
    assert.match(stderr, /\/opt\/legacy\/sub \(folder, hide\), \/proc\/x \(exact, full\)|\/proc\/x/);
    await fixture.clean();
  });

  it("a link that an instance leaves behind leads nowhere on the host", async () => {
    const run = async (script: string): Promise<CliResult> => cli("exec", "linked", "sh", "-c", script);
    await cli("run", "-d", "--name", "linked", "--network", "none", "box:1", "sleep", "1000");
    assert.equal((await run(`rm -r /srv/legacy; ln -s ${host} /srv/legacy`)).status, 0);
    await cli("stop", "-t", "1", "linked");
    const started = await cli("start", "linked");
    assert.equal(started.status, 125);
    assert.match(started.stderr, /srv\/legacy/);
    assert.equal((await cli("rm", "-f", "linked")).status, 0);
    await fixture.clean();
  });
});
