// Redirections of files in the namespace engine: what an instance sees, what it keeps, what of the host it is shown, and what is refused.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { treeOfImage } from "../../src/image/merged-tree.ts";
import { openStore } from "../../src/image/store.ts";
import type { FileRedirection } from "../../src/package/descriptor.ts";
import { decodePolicy } from "../../src/redirect/policy-codec.ts";
import { ruleFor } from "../../src/redirect/rules.ts";
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

  it("a root that is only read is not written through a rule: copies and volumes are", async () => {
    const script =
      "for at in legacy copy kept; do (echo w >/opt/$at/new) 2>/dev/null && echo $at; done; true";
    const flags = ["--read-only", "-v", "/kept", "--redirect", "/opt/kept=/kept"];
    assert.equal(await says(script, ...flags), "copy\nkept\n");
    assert.equal(await says(script, ...flags.slice(1)), "legacy\ncopy\nkept\n");
  });

  it("each mode shows and takes what it promises", async () => {
    const told = await says(`
      cat /opt/legacy/app.conf /opt/fixed/both
      echo new > /opt/legacy/app.conf; cat /srv/legacy/app.conf /opt/fixed/app.conf
      (echo new > /opt/fixed/app.conf) 2>&1
      echo new > /opt/copy/both; cat /opt/copy/both /srv/legacy/both
      cat /opt/copy/app.conf; ls /opt/old; ls /etc/app; cat /etc/app/one
      echo mine > /etc/new && mv /etc/new /etc/one.conf && cat /etc/one.conf /srv/one
      cat '/opt/named: a,b/x'`);
    assert.deepEqual(told.trimEnd().split("\n"), [
      ...["of the package", "both of the package"],
      ...["new", "new"],
      "sh: can't create /opt/fixed/app.conf: Read-only file system",
      ...["new", "both of the package"],
      ...["one", "here", "one", "one"],
      ...["mine", "one"],
      "odd",
    ]);
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
    const flags = ["--redirect", "/opt/legacy=/opt/old", "--redirect", "/opt/fixed=:hide"];
    assert.equal(
      await says("cat /opt/legacy/here; ls /opt", ...flags),
      "here\ncopy\nlegacy\nnamed: a,b\nodd: na,me\nold\n",
    );
  });

  it("nothing of the host is seen unless a person names it", async () => {
    const folder = ["--redirect", `${host}=/srv/legacy:write-copy`];
    assert.equal(await says(`ls ${host}`, ...folder), "app.conf\nboth\nsub\n");
    const seen = await says(
      `cd ${host}; echo *; cat both host-only deep/x; echo new > host-only; rm deep/x; cat host-only; ls deep`,
      ...[...folder, "--allow-host", host],
    );
    assert.equal(
      seen,
      "app.conf both deep host-only shadow sub\nboth of the package\nhost-only of the host\nx of the host\nnew\n",
    );
    assert.equal(readFileSync(join(host, "host-only"), "utf8"), "host-only of the host\n");
    assert.equal(readFileSync(join(host, "deep/x"), "utf8"), "x of the host\n");
    const merged = ["--redirect", `${host}/shadow=/none:merged`, "--allow-host", host];
    assert.equal(
      await says(`cat ${host}/shadow; echo new > ${host}/shadow`, ...merged),
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
    assert.equal(
      (
        await sh(
          "test -s /etc/shadow",
          "--redirect",
          "/etc/shadow=/none:merged",
          "--allow-host",
          "/etc/shadow",
        )
      ).status,
      0,
    );
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
    const below = ["-v", "named:/srv/legacy/vol", "--redirect", "/opt/view=/srv/legacy"];
    assert.equal(
      await says(
        "cat /opt/view/vol/app/x; echo new > /opt/view/vol/app/x; cat /srv/legacy/vol/app/x",
        ...below,
      ),
      "kept\nnew\n",
    );
  });

  it("what is written through a rule counts as what the instance writes", {
    skip: existsSync("/dev/loop-control") ? false : "no loop devices here",
  }, async () => {
    const { stdout, stderr } = await sh(
      "echo a > /opt/copy/both; cat /opt/copy/both /opt/copy/sub/deep; dd if=/dev/zero of=/opt/copy/big bs=1M count=20",
      "--storage-opt",
      "size=8m",
    );
    assert.equal(stdout, "a\ndeep\n", stderr);
    assert.match(stderr, /No space left/);
    await fixture.clean();
  });

  it("why tells which rule decides, and bake compiles the rules into the image", async () => {
    const why = await cli("why", "box:1", "/opt/legacy/sub/../both");
    assert.equal(why.status, 0, why.stderr);
    assert.equal(
      why.stdout.split("\n").slice(0, 4).join("\n"),
      `/opt/legacy/both is redirected by redirections.files[0]: /opt/legacy, folder, full
  read:    the instance's own /srv/legacy/both, else /srv/legacy/both of the package
  written: the instance's own /srv/legacy/both
/srv/legacy/both is in box:1:`,
    );
    const hidden = await cli("why", "--format", "{{json .redirected.rule}}", "box:1", "/etc/app/secret");
    assert.deepEqual([hidden.status, hidden.stdout], [4, "5\n"]);
    for (const changed of [true, false]) {
      const baked = await cli(
        "package",
        "bake",
        "-t",
        "box:baked",
        "--format",
        "json",
        changed ? "box:1" : "box:baked",
      );
      assert.equal(JSON.parse(baked.stdout).changed, changed, baked.stderr);
    }
    const store = openStore(fixture.root);
    const tree = await treeOfImage(store, store.image("box:baked"), { "/.tranship/policy.bin": 1 << 20 });
    const policy = decodePolicy(tree.textOf("/.tranship/policy.bin") ?? new Uint8Array());
    assert.equal(ruleFor(policy.files, "/opt/copy/app.conf")?.to, "/srv/one");
    assert.equal((await cli("rmi", "box:baked")).status, 0);
  });

  it("a command that dies while it makes them leaves nothing", async () => {
    const steps = join(fixture.root.path, "steps");
    await fixture.cli(["create", "--network", "none", "--name", "steps", "box:1"], {
      env: { TRANSHIP_STEPS_FILE: steps },
    });
    const at = readFileSync(steps, "utf8")
      .split("\n")
      .flatMap((line) => /^(\d+) (?:redirections|instance directory)$/.exec(line)?.[1] ?? []);
    assert.equal((await cli("rm", "steps")).status, 0);
    rmSync(steps);
    assert.equal(at.length, 2);
    for (const number of at) {
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
