// run --tether, package freeze: what a package lacks comes from its source while a call waits, with the real tracer and runtime.
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { addText, makeSmallRoot } from "../support/small-root.ts";
import { type Fixture, mainProgram, makeFixture, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

const application = {
  "opt/shop/shop": '#!/bin/sh\nif [ -n "$1" ]; then . /opt/shop/lib.sh; fi\necho done\n',
  "opt/shop/lib.sh": "echo lib\n. /opt/shop/more.sh\n",
  "opt/shop/more.sh": "echo more\nfor f in /opt/shop/plugins/*; do . $f; done\n",
  "opt/shop/plugins/one.sh": "echo one\n",
  "opt/shop/plugins/two.sh": "echo two\n",
  "opt/shop/tool": "#!/opt/lang/bin/sh\necho tool\n",
  "opt/shop/journal": "first\n",
  "opt/shop/rm-me": "old\n",
  "opt/shop/own": "of the source\n",
  "opt/shop/key.pem": "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
  "opt/shop/left": "left out on purpose\n",
  "boot/vmlinuz": "kernel\n",
  "tmp/state": "of the old system\n",
  "srv/data/old.txt": "data\n",
  "opt/jail/data/inside": "jail\n",
};

interface Row {
  path: string;
  use: string;
  program: string;
  state: string;
  why: string;
}

describe("tethered instances", { skip, timeout: 900_000 }, () => {
  let fixture: Fixture;
  let source: string;
  let machine: string;
  const capture = ["/bin/sh", "/opt/shop/shop"];

  before(async () => {
    fixture = await makeFixture();
    source = mkdtempSync(join(tmpdir(), "tranship-tether-"));
    makeSmallRoot(source);
    addText(source, application);
    mkdirSync(join(source, "opt/lang/bin"), { recursive: true });
    cpSync("/bin/busybox", join(source, "opt/lang/bin/busybox-lang"));
    // A script's interpreter that is a link, in a directory that the package lacks.
    symlinkSync("busybox-lang", join(source, "opt/lang/bin/sh"));
    chmodSync(join(source, "opt/shop/tool"), 0o755);
    mkdirSync(join(source, "opt/shop/spool"), { mode: 0o2750 });
    chmodSync(join(source, "opt/shop/spool"), 0o2750);
    chownSync(join(source, "opt/shop/spool"), 33, 44);
    mkdirSync(join(source, "opt/jail/bin"), { recursive: true });
    cpSync("/bin/busybox", join(source, "opt/jail/bin/busybox"));
    symlinkSync("/data/inside", join(source, "opt/jail/link"));
    machine = `rootfs:${source}`;
    await ok(["capture", "run", "-m", machine, "-t", "shop", "--no-closure", "--exclude", "/opt/shop/left",
      "--include", "/opt/shop/left", "--include", "/opt/shop/rm-me", "--volume", "/srv/data", "--", ...capture]); // biome-ignore format: short
  });
  after(async () => {
    // What a failed test has left.
    for (const pid of halted) if (existsSync(`/proc/${pid}`)) process.kill(pid, "SIGCONT");
    for (const { name } of await instances()) await fixture.cli(["rm", "-f", "-v", name]);
    await fixture.clean();
    await fixture.remove();
    rmSync(source, { recursive: true, force: true });
  });

  async function ok(args: readonly string[]) {
    const done = await fixture.cli(args);
    assert.equal(done.status, 0, `${args.join(" ")}: ${done.stderr}`);
    return done;
  }

  const instances = async () =>
    (await ok(["ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.ID}}"])).stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => ({ name: line.split(" ")[0] ?? "", id: line.split(" ")[1] ?? "" }));

  async function rows(...args: string[]): Promise<Row[]> {
    return JSON.parse((await ok(["misses", ...args, "--format", "json"])).stdout) as Row[];
  }
  const stateOf = (all: readonly Row[], path: string) => all.find((row) => row.path === path)?.state;

  const tether = ["run", "--tether"];
  const run = (name: string, script: string, from = machine, ...more: string[]) =>
    fixture.cli([...tether, from, "--network", "none", "--name", name, ...more, "shop", "sh", "-c", script]);
  const remove = (...names: string[]) => ok(["rm", "-f", "-v", ...names]);

  it("what it lacks comes once, a frozen package has it, and needs no source any more", async () => {
    const use = ["shop", "sh", "/opt/shop/shop", "all"];
    const alone = await fixture.cli(["run", "--rm", "--network", "none", ...use]);
    assert.notEqual(alone.status, 0);
    const words = ["--network", "none", "--name", "first"];
    const first = await ok([...tether, machine, ...words, ...use]);
    assert.equal(first.stdout, "lib\nmore\none\ntwo\ndone\n");
    assert.match(
      first.stderr,
      /tether: fetched 5 names, 101 B, from rootfs:.*`tranship package freeze first -t REF`/,
    );
    const seen = await rows("first");
    assert.deepEqual(
      seen.filter((row) => row.state === "fetched").map((row) => row.path),
      ["/opt/shop/lib.sh", "/opt/shop/more.sh", "/opt/shop/plugins", "/opt/shop/plugins/one.sh", "/opt/shop/plugins/two.sh"],
    ); // biome-ignore format: short
    // Nothing is asked of the source for what is there: it may be gone.
    const moved = `${source}.away`;
    cpSync(join(source, "opt"), moved, { recursive: true });
    rmSync(join(source, "opt/shop/lib.sh"));
    try {
      await ok(["start", "first"]);
      await until(async () => (await ok(["ps", "-a"])).stdout.includes("Exited"));
      assert.match((await ok(["logs", "first"])).stdout, /done\n[\s\S]*two\ndone\n$/);
    } finally {
      cpSync(join(moved, "shop/lib.sh"), join(source, "opt/shop/lib.sh"));
      rmSync(moved, { recursive: true });
    }
    const dry = await ok(["package", "freeze", "first", "-t", "whole", "--no-closure", "--dry-run"]);
    assert.match(dry.stdout, /^\/opt\/shop\/lib\.sh\n/);
    assert.doesNotMatch((await ok(["images"])).stdout, /whole/);
    const frozen = await ok(["package", "freeze", "shop", "-t", "whole", "--no-closure"]);
    assert.match(frozen.stderr, /5 names were fetched; with what they need the package lacks 5\n/);
    assert.match((await ok(["verify", "--read-data", "whole"])).stdout, /0 errors/);
    const free = await ok(["run", "--rm", "--network", "none", "whole", "sh", "/opt/shop/shop", "all"]);
    assert.equal(free.stdout, first.stdout);
    assert.match(
      (await ok(["why", "whole", "/opt/shop/more.sh"])).stdout,
      /fetched while tethered: read by \/bin\//,
    );
    // The bill of materials is of the whole: what was packed before, and what was fetched.
    const bill = JSON.parse((await ok(["sbom", "whole"])).stdout) as { files: { fileName: string }[] };
    const billed = new Set(bill.files.map((one) => one.fileName));
    for (const path of ["./opt/shop/shop", "./opt/shop/more.sh"]) assert.ok(billed.has(path), path);
    assert.ok(![...billed].some((name) => name.startsWith("./.tranship")));
    // The layers that were there are the same.
    const layers = async (ref: string) =>
      (JSON.parse((await ok(["inspect", ref])).stdout) as [{ layers: { digest: string }[] }])[0].layers.map(
        (one) => one.digest,
      );
    const [before, now] = [await layers("shop"), await layers("whole")];
    assert.deepEqual(now.slice(0, before.length - 1), before.slice(0, -1));
    await ok([
      "capture",
      "run",
      "-m",
      machine,
      "-t",
      "again",
      "--no-closure",
      "--add-misses",
      "first",
      "--",
      ...capture,
    ]);
    assert.match((await ok(["why", "again", "/opt/shop/more.sh"])).stdout, /fetched while tethered/);
    await remove("first");
    assert.match(
      (await fixture.cli(["package", "freeze", "shop", "-t", "no"])).stderr,
      /E_INSTANCE_NOT_FOUND|E_INSTANCE_STATE/,
    );
  });

  it("the source may be an archive, an image or this host", async () => {
    const archive = `${source}.tar`;
    execFileSync("tar", ["-C", source, "-cf", archive, "."]);
    try {
      await ok(["capture", "machine", "-m", machine, "-t", "old-web"]);
      // Of the host's system: a checkout may be below /tmp, of which nothing is fetched.
      const own = "/usr/share/common-licenses/Apache-2.0";
      for (const [name, from, path, says] of [
        ["of-disk", `disk:${archive}`, "/opt/shop/more.sh", /^echo more\n/],
        ["of-oci", "oci:old-web", "/opt/shop/more.sh", /^echo more\n/],
        ["of-local", "local:", own, /Apache License/],
      ] as const) {
        const done = await run(name, `cat ${path}; [ -e /no/such/file ] || echo still`, from);
        assert.equal(done.status, 0, done.stderr);
        assert.match(done.stdout, says, from);
        assert.match(done.stdout, /still\n$/);
        const frozen = await ok(["package", "freeze", name, "-t", `whole-${name}`, "--no-closure"]);
        assert.match(frozen.stderr, /layer fetched/);
        await remove(name);
        const free = await ok([
          "run",
          "--rm",
          "--network",
          "none",
          `whole-${name}`,
          "sh",
          "-c",
          `cat ${path}`,
        ]);
        assert.match(free.stdout, says, from);
      }
    } finally {
      rmSync(archive);
    }
  });

  it("secrets, kernel parts, what was left out, volumes and what it removed itself are not fetched, and it is told why", async () => {
    const look = (path: string) => `[ -e ${path} ] && echo have ${path};`;
    const paths = [
      "/opt/shop/key.pem",
      "/boot/vmlinuz",
      "/opt/shop/left",
      "/srv/data/old.txt",
      "/tmp/state",
      "/no/such/file",
    ];
    const script = `${paths.map(look).join(" ")} rm /opt/shop/rm-me; ${look("/opt/shop/rm-me")}
      echo mine >/opt/shop/spool/x; rm /opt/shop/spool/x; echo end`;
    writeFileSync(join(source, "opt/shop/spool/x"), "of the source\n");
    const done = await run("refused", script);
    rmSync(join(source, "opt/shop/spool/x"));
    assert.equal(done.stdout, "end\n");
    assert.match(
      done.stderr,
      /tether: refused \/opt\/shop\/key\.pem: secret: private key; give it with --secret/,
    );
    const seen = await rows("refused", "--all");
    const why = (path: string) => seen.find((row) => row.path === path && row.state === "refused")?.why ?? "";
    assert.match(why("/opt/shop/key.pem"), /^secret: private key/);
    assert.match(why("/boot/vmlinuz"), /kernel/);
    assert.match(why("/opt/shop/left"), /left out by --exclude/);
    assert.match(why("/srv/data/old.txt"), /on a volume or another mount/);
    assert.match(why("/tmp/state"), /only while the old system runs/);
    assert.equal(stateOf(seen, "/no/such/file"), "absent");
    assert.notEqual(stateOf(seen, "/opt/shop/rm-me"), "fetched");
    await remove("refused");
  });

  it("programs with what runs them, links, directories with their attributes, files that are appended to", async () => {
    utimesSync(join(source, "opt/shop/spool"), 1_000_000_000, 1_000_000_000);
    const done = await run(
      "kinds",
      `/opt/shop/tool; echo second >>/opt/shop/journal; cat /opt/shop/journal; stat -c "%a %u:%g %Y" /opt/shop/spool
      echo mine >/opt/shop/own; cat /opt/shop/own
      /opt/jail/bin/busybox chroot /opt/jail /bin/busybox cat /link; ls /opt/shop`,
    );
    assert.equal(done.status, 0, done.stderr);
    const [tool, ...rest] = done.stdout.split("\n");
    assert.equal(tool, "tool");
    assert.deepEqual(rest.slice(0, 4), ["first", "second", "2750 33:44 1000000000", "mine"]);
    assert.equal(rest[4], "jail");
    // A directory that the package has in part is complete for who lists it, but for what is refused.
    const names = readdirSync(join(source, "opt/shop")).filter(
      (name) => name !== "key.pem" && name !== "left",
    );
    assert.deepEqual(rest.slice(5, -1), names.sort());
    const seen = await rows("kinds");
    assert.equal(stateOf(seen, "/opt/lang/bin/busybox-lang"), "fetched");
    assert.equal(stateOf(seen, "/opt/jail/data/inside"), "fetched");
    await remove("kinds");
  });

  it("many at once, and a large file, come whole", async () => {
    const many = join(source, "opt/many");
    mkdirSync(many);
    const sums: string[] = [];
    for (let i = 0; i < 24; i++) {
      const bytes = randomBytes(i === 0 ? 24 << 20 : 100_000 + i);
      writeFileSync(join(many, String(i)), bytes);
      sums.push(createHash("sha256").update(bytes).digest("hex"));
    }
    const name = "/bin/busybox sha256sum";
    const script = `i=0; while [ $i -lt 24 ]; do (${name} /opt/many/$i) & (${name} /opt/many/$i >/dev/null) & i=$((i+1)); done; wait`;
    const done = await run("many", script);
    rmSync(many, { recursive: true });
    assert.equal(done.status, 0, done.stderr);
    const got = new Map(done.stdout.trim().split("\n").map((line) => [line.split("  /opt/many/")[1], line.slice(0, 64)])); // biome-ignore format: short
    assert.deepEqual(
      sums.map((_, i) => got.get(String(i))),
      sums,
    );
    const seen = (await rows("many")).filter((row) => row.path.startsWith("/opt/many/"));
    assert.equal(seen.length, 24, "each once");
    await remove("many");
  });

  /** The process that holds the source of an instance. */
  function fetcherOf(id: string): number {
    const found = readdirSync("/proc").filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
        return words.includes("tether") && words.some((word) => word.startsWith(id));
      } catch {
        return false;
      }
    });
    assert.equal(found.length, 1, `fetchers: ${found.join(" ")}`);
    return Number(found[0]);
  }

  const halted: number[] = [];
  /** A source that takes its time. */
  function halt(fetcher: number): void {
    halted.push(fetcher);
    process.kill(fetcher, "SIGSTOP");
  }

  async function detached(name: string, script: string): Promise<{ id: string; fetcher: number }> {
    await ok([...tether, machine, "-d", "--network", "none", "--name", name, "shop", "sh", "-c", script]);
    const id = (await instances()).find((one) => one.name === name)?.id ?? "";
    return { id, fetcher: fetcherOf(id) };
  }
  const says = (name: string, text: string) =>
    until(async () => (await fixture.cli(["logs", name])).stdout.includes(text));

  it("a call that waits is left for a signal", async () => {
    const script = `trap "echo got TERM; exit 3" TERM; echo up; while [ ! -e /tmp/go ]; do sleep 0.1; done
      echo looks; [ -e /opt/shop/journal ] && echo there; sleep 1000`;
    const { fetcher } = await detached("waits", script);
    await says("waits", "up");
    halt(fetcher);
    await ok(["exec", "waits", "sh", "-c", ": >/tmp/go"]);
    await says("waits", "looks");
    await ok(["stop", "-t", "60", "waits"]);
    assert.match((await ok(["logs", "waits"])).stdout, /looks\ngot TERM\n$/);
    assert.equal((await ok(["ps", "-a", "--format", "{{.Status}}"])).stdout.includes("(3)"), true);
    process.kill(fetcher, "SIGCONT");
    await until(() => !existsSync(`/proc/${fetcher}`));
    assert.doesNotMatch((await ok(["logs", "waits"])).stdout, /there/);
    await remove("waits");
  });

  it("a killed fetcher costs nothing but what it would have fetched", async () => {
    const script = `echo up; while [ ! -e /tmp/go ]; do sleep 0.1; done
      [ -e /opt/shop/own ] || echo without; sleep 1000`;
    const { id, fetcher } = await detached("without", script);
    await says("without", "up");
    process.kill(fetcher, "SIGKILL");
    await ok(["exec", "without", "sh", "-c", ": >/tmp/go"]);
    await says("without", "without");
    const log = readFileSync(join(fixture.root.instances, id, "monitor.log"), "utf8");
    assert.match(log, /trace: nothing is fetched from the source any more: its fetcher has ended/);
    await remove("without");
  });

  it("a killed tracer takes the instance and its fetcher with it", async () => {
    const { id, fetcher } = await detached("killed", "echo up; sleep 1000");
    await says("killed", "up");
    const tracer = readdirSync("/proc").find((pid) => {
      try {
        const [program = "", ...words] = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
        return program.endsWith("/trace") && words.some((word) => word.endsWith(`${id}/tether.sock`));
      } catch {
        return false;
      }
    });
    process.kill(Number(tracer), "SIGKILL");
    await until(() => !existsSync(`/proc/${fetcher}`));
    await until(async () => !(await ok(["ps"])).stdout.includes("killed"));
    assert.equal(existsSync(join(fixture.root.instances, id, "tether.sock")), false);
    await remove("killed");
  });

  it("Ctrl-C ends a foreground instance in the middle of a large file", async () => {
    const big = join(source, "opt/big");
    writeFileSync(big, Buffer.alloc(1));
    const words = [...tether, machine, "--network", "none", "--name", "front", "shop", "sh", "-c"];
    const child = front([
      ...words,
      "echo up; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo looks; cat /opt/big",
    ]);
    await says("front", "up");
    const id = (await instances()).find((one) => one.name === "front")?.id ?? "";
    const fetcher = fetcherOf(id);
    halt(fetcher);
    await ok(["exec", "front", "sh", "-c", ": >/tmp/go"]);
    await says("front", "looks");
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    assert.notEqual(await ended, 0);
    process.kill(fetcher, "SIGCONT");
    await until(() => !existsSync(`/proc/${fetcher}`));
    rmSync(big);
    await remove("front");
  });

  function front(words: readonly string[]): ChildProcess {
    const [enter = "", ...rest] = fixture.enter;
    return spawn(enter, [...rest, process.execPath, mainProgram, ...words], {
      env: { ...process.env, TRANSHIP_ROOT: fixture.root.path, TRANSHIP_NETWORK_LINGER: "0" },
      stdio: "ignore",
    });
  }

  it("what cannot be is refused before anything is made", async () => {
    const refused = async (from: string, code: RegExp, ...more: string[]) => {
      const done = await run("none", ":", from, ...more);
      assert.notEqual(done.status, 0);
      assert.match(done.stderr, code);
      assert.deepEqual(await instances(), []);
    };
    await refused("rootsf:/x", /E_MACHINE_UNKNOWN.*rootsf/);
    await refused("rootfs:/no/such/root", /error\[E_/);
    await refused(machine, /E_USAGE.*--read-only/, "--read-only");
    await refused("ssh://127.0.0.1:1", /error\[E_MACHINE_UNREACHABLE\].*127\.0\.0\.1/);
  });
});
