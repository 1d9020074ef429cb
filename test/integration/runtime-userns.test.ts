// --userns: an instance of root whose users are ids of its own, with files that keep their owners on the disk; with crun and with runc.
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Fixture, makeFixture, makePackage, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;
const runtimes = ["/usr/bin/crun", "/usr/sbin/runc"].filter((path) => existsSync(path));

describe("a user namespace of its own", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let work: string;
  before(async () => {
    fixture = await makeFixture();
    work = mkdtempSync(join(tmpdir(), "tranship-userns-"));
    chmodSync(work, 0o755);
    await makePackage(fixture.root, "box:1", { descriptor: {} });
  });
  after(async () => {
    await fixture.clean();
    await fixture.remove();
    rmSync(work, { recursive: true, force: true });
  });

  async function ok(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
    const done = await fixture.cli(args, { env });
    assert.equal(done.status, 0, `${args.join(" ")}: ${done.stderr}`);
    return done.stdout;
  }
  const owner = (path: string): string => {
    const { uid, gid } = lstatSync(path);
    return `${uid}:${gid}`;
  };

  for (const runtime of runtimes)
    it(`users inside are nobody here, and owners on the disk are those of the package (${basename(runtime)})`, async () => {
      const env = { TRANSHIP_RUNTIME: runtime };
      rmSync(join(work, "of-root"), { force: true });
      writeFileSync(join(work, "of-root"), "of the host\n", { mode: 0o644 });
      writeFileSync(join(work, "secret"), "word\n", { mode: 0o600 });
      const script = `stat -c %u:%g /srv/data/seed.txt; touch /made; chown 33:44 /made; mkdir /v/dir; chown 33:44 /v/dir
        touch /b/x 2>/dev/null || echo "not the host's"; cat /b/of-root /run/word; stat -c %u /b/of-root; hostname; ls /sys/class/net
        cat /proc/sys/kernel/domainname; echo up; exec sleep 1000`;
      const id = (
        await ok(
          ["run", "-d", "--name", "one", "--userns", "auto", "--domainname", "old.example", "-p", "8091:80", "--memory", "64m",
            "-v", "vol:/v", "-v", `${work}:/b`, "--secret", `/run/word=${join(work, "secret")}`, "box:1", "sh", "-c", script],
          env,
        ) // biome-ignore format: short
      )
        .trim();
      const said = async (): Promise<string> => await ok(["logs", "one"]);
      for (let round = 0; round < 100 && !(await said()).includes("up\n"); round++);
      assert.equal(
        await said(),
        "33:44\nnot the host's\nof the host\nword\n65534\nold-web\neth0\nlo\nold.example\nup\n",
      );
      const [inspected] = JSON.parse(await ok(["inspect", "one"])) as [
        { HostConfig: { UsernsMode: string; IDMappings: { UidMap: string[] } }; State: { Pid: number } },
      ];
      const map = inspected.HostConfig.IDMappings.UidMap[0] ?? "";
      const pid = inspected.State.Pid;
      assert.equal(readFileSync(`/proc/${pid}/uid_map`, "latin1").trim().split(/ +/).join(":"), map);
      const first = Number(map.split(":")[1]);
      assert.ok(first >= 0x80000, map);
      assert.match(readFileSync(`/proc/${pid}/status`, "latin1"), new RegExp(`^Uid:\t${first}\t`, "m"));
      assert.equal(owner(join(fixture.root.instances, id, "upper/made")), "33:44");
      assert.equal(owner(join(fixture.root.volumes, "vol/data/dir")), "33:44");
      // A command comes into all of its namespaces, the network among them.
      const inside = await ok(
        ["exec", "one", "sh", "-c", "id -u; cat /proc/self/uid_map; ip addr; touch /by-exec"],
        env,
      );
      assert.match(inside, new RegExp(`^0\n +0 +${first} +65536\n`));
      assert.match(inside, /eth0/);
      // cp into and out of it, with owners; while it runs, and when it does not.
      chmodSync(join(work, "of-root"), 0o640);
      for (const state of ["running", "stopped"]) {
        await ok(["cp", join(work, "of-root"), `one:/srv/${state}`]);
        assert.equal(owner(join(fixture.root.instances, id, "upper/srv", state)), "0:0", state);
        await ok(["cp", `one:/srv/${state}`, join(work, state)]);
        assert.equal(readFileSync(join(work, state), "utf8"), "of the host\n");
        if (state === "running") await ok(["stop", "-t", "0", "one"]);
      }
      assert.match(await ok(["diff", "one"]), /^A \/made$/m);
      // The same ids after a restart; another instance has others.
      await ok(["start", "one"], env);
      await ok(["create", "--name", "two", "--userns", "auto:size=100000", "box:1", "true"]);
      const [two] = JSON.parse(await ok(["inspect", "two"])) as [typeof inspected];
      assert.notEqual(two.HostConfig.IDMappings.UidMap[0], map);
      assert.match(two.HostConfig.IDMappings.UidMap[0] ?? "", /:100000$/);
      assert.match(await ok(["inspect", "one"]), new RegExp(map));
      await ok(["rm", "-f", "one", "two"]);
      await ok(["volume", "rm", "vol"]);
    });

  it("what redirections, a limited disk and package services write has the package's owners", async () => {
    const script = "touch /led/x /w; stat -c %u:%g /led/seed.txt; chown 33:44 /w; stat -c %u:%g /w; echo ok";
    const redirected = await ok(["run", "--rm", "--userns", "auto", "--redirect", "/led=/srv/data:write-copy", "box:1", "sh", "-c", script]); // biome-ignore format: short
    assert.equal(redirected, "33:44\n33:44\nok\n");
    const full = await ok(["run", "--rm", "--userns", "auto", "--redirect", "/led=/srv/data", "--redirect", "/a-file=/etc/passwd:read-only", "box:1", "sh", "-c",
      "touch /led/x; stat -c %u:%g /led/seed.txt /srv/data/x; cmp /a-file /etc/passwd && echo same"]); // biome-ignore format: short
    assert.equal(full, "33:44\n0:0\nsame\n");
    const limited = await ok(["run", "--rm", "--userns", "3000000:65536", "--storage-opt", "size=16m", "box:1", "sh", "-c",
      "touch /w; chown 33:44 /w; stat -c %u:%g /w; dd if=/dev/zero of=/big bs=1M count=32 2>/dev/null || echo full"]); // biome-ignore format: short
    assert.equal(limited, "33:44\nfull\n");
    const user = await ok(["run", "--rm", "--userns", "auto", "-u", "web", "box:1", "sh", "-c", "id -u; touch /tmp/x 2>/dev/null; cat /proc/self/uid_map"]); // biome-ignore format: short
    assert.match(user, /^33\n +0 +\d{6,}/);
    const host = await ok(["run", "--rm", "--userns", "auto", "--network", "host", "box:1", "sh", "-c", "ls /sys/class/net"]); // biome-ignore format: short
    assert.match(host, /lo/);
  });

  it("a range of this host that begins with root is not lent", async () => {
    const files = ["/etc/subuid", "/etc/subgid"];
    writeFileSync(join(work, "ids"), "tranship:0:65536\ncontainers:900000:131072\n");
    // Their places in the fixture's namespace of mounts alone.
    for (const file of files) await fixture.inside(["mount", "--bind", join(work, "ids"), file]);
    try {
      await ok(["create", "--name", "lent", "--userns", "auto:size=65536", "box:1", "true"]);
      assert.match(await ok(["inspect", "lent"]), /"0:(900000|965536):65536"/);
      await ok(["rm", "lent"]);
    } finally {
      for (const file of files) await fixture.inside(["umount", file]);
    }
  });

  it("what cannot be is refused in words, and nothing is left", async () => {
    for (const [words, code, says] of [
      [["--userns", "0:65536"], "E_USAGE", /0 is root of this host/],
      [["--userns", "private"], "E_USAGE", /host, auto, auto:size=COUNT or FIRST:COUNT/],
      [["--userns", "auto:size=0"], "E_USAGE", /above 0/],
      [["--userns", "4294967290:65536"], "E_USAGE", /ids go from 1/],
      [["--userns", "auto", "--tether", "local:"], "E_USAGE", /excludes --tether/],
    ] as const) {
      const refused = await fixture.cli(["run", "--rm", ...words, "box:1", "true"]);
      assert.equal(refused.status, code === "E_USAGE" ? 2 : 125, refused.stderr);
      assert.match(refused.stderr, new RegExp(`error\\[${code}\\]`));
      assert.match(refused.stderr, says);
    }
    mkdirSync(join(work, "shared"));
    await ok(["run", "-d", "--name", "owner", "box:1", "sleep", "1000"]);
    const shared = await fixture.cli([
      "run",
      "--rm",
      "--userns",
      "auto",
      "--network",
      "container:owner",
      "box:1",
      "true",
    ]);
    assert.match(shared.stderr, /belongs to another user namespace/);
    await ok(["rm", "-f", "owner"]);
    await fixture.clean();
    assert.equal(
      existsSync(join(fixture.root.path, "ids")) && lstatSync(join(fixture.root.path, "ids")).isFile(),
      false,
    );
  });
});
