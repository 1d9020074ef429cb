// Real servers that are captured while they serve: of this host, as one of its services, and on an old machine in namespaces of its own.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { cgroupMode, killCgroup, removeCgroup } from "../../src/host/cgroup.ts";
import { installRoot } from "../../src/host/native.ts";
import { buildApplication, whyNoApplications } from "../support/applications.ts";
import { soaking } from "../support/counts.ts";
import { missingForServer, type Started, startInside } from "../support/running.ts";
import { type Fixture, makeFixture, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? missingForServer() ?? false;
const noNginx = skip !== false ? skip : existsSync("/usr/sbin/nginx") ? false : "needs nginx";

describe("capture process: servers of this host", { skip: noNginx, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let nginx: Started;

  before(async () => {
    fixture = await makeFixture();
    const files = `
      mount -t tmpfs none /srv && mkdir -p /srv/shop/pages/deep /srv/shop/logs && cd /srv/shop &&
      for page in one two three deep/four; do echo "page $page" >pages/$page.html; done &&
      printf '%s\n' 'user www-data;' 'worker_processes 2;' 'pid /srv/shop/nginx.pid;' 'error_log /srv/shop/logs/error.log;' 'events {}' \
        'http { include /etc/nginx/mime.types; access_log /srv/shop/logs/access.log;' \
        'server { listen 9080; root /srv/shop/pages; } }' >nginx.conf`;
    const made = await fixture.inside(["sh", "-c", files]);
    assert.equal(made.status, 0, made.stderr);
    nginx = startInside(fixture, ["/usr/sbin/nginx", "-c", "/srv/shop/nginx.conf", "-g", "daemon off;"]);
    await until(async () => (await page(9080, "one")) === "page one");
  });
  after(async () => {
    nginx?.terminate();
    await nginx?.stop();
    await fixture?.clean();
    await fixture?.remove();
  });

  const page = async (port: number, name: string): Promise<string> =>
    (await fixture.inside(["curl", "-s", `http://127.0.0.1:${port}/${name}.html`])).stdout.trim();

  it("nginx with its workers, seen while it serves and once more at its start; pages that nobody asked for are served", async () => {
    const asking = setInterval(() => void page(9080, "two"), 200);
    const captured = fixture.cli([
      "capture",
      "process",
      "-t",
      "shop",
      "--listening",
      "9080",
      "--for",
      "2s",
      "--restart",
    ]);
    const made = await captured.finally(() => clearInterval(asking));
    assert.equal(made.status, 0, made.stderr);
    assert.match(made.stderr, /process \d+ \(\/usr\/sbin\/nginx\) with 2 others of its own/);
    assert.equal(await page(9080, "one"), "page one", "the running one was left alone");
    const why = async (path: string): Promise<string> => (await fixture.cli(["why", "shop", path])).stdout;
    assert.match(await why("/usr/sbin/nginx"), /snapshot: mapped by \/usr\/sbin\/nginx/);
    assert.match(await why("/srv/shop/pages/two.html"), /traced: read by \/usr\/sbin\/nginx/);
    assert.match(await why("/etc/nginx/mime.types"), /traced: read by \/usr\/sbin\/nginx/);
    assert.match(await why("/srv/shop/logs/access.log"), /left out: a log of the running program/);
    nginx.terminate();
    await nginx.ended;
    const ran = await fixture.cli(["run", "-d", "--name", "shop", "-p", "19080:9080", "shop"]);
    assert.equal(ran.status, 0, ran.stderr);
    await until(async () => (await page(19080, "one")) === "page one");
    for (const name of ["two", "three", "deep/four"]) assert.equal(await page(19080, name), `page ${name}`);
    const removed = await fixture.cli(["rm", "-f", "-v", "shop"]);
    assert.equal(removed.status, 0, removed.stderr);
  });
});

const mode = cgroupMode();

describe("capture process: a service of this host", {
  skip: noNginx || (mode.kind === "none" && "no control groups are mounted here"),
  timeout: 300_000,
}, () => {
  const group = `tranship-test-process-${process.pid}`;
  let fixture: Fixture;
  let nginx: Started;

  const page = async (port: number): Promise<string> =>
    (await fixture.inside(["curl", "-s", `http://127.0.0.1:${port}/`])).stdout.trim();

  before(async () => {
    fixture = await makeFixture();
    // Its unit lies over this host's own, in the fixture's namespace alone.
    const files = `
      mount -t tmpfs none /srv && mount -t tmpfs none /etc/systemd/system && mkdir /srv/counter /etc/systemd/system/sockets.target.wants &&
      echo "the counter" >/srv/counter/index.html &&
      printf '%s\n' 'user www-data;' 'worker_processes 2;' 'pid /run/counter.pid;' 'error_log stderr;' 'events {}' \
        'http { access_log off; server { listen 9081; root /srv/counter; } }' >/srv/counter/nginx.conf &&
      printf '%s\n' '[Unit]' 'Description=a counter' '[Service]' 'Environment=COUNTER=unit' \
        'ExecStart=/usr/sbin/nginx -c /srv/counter/nginx.conf -g "daemon off;"' 'KillSignal=SIGQUIT' >/etc/systemd/system/counter.service`;
    const made = await fixture.inside(["sh", "-c", files]);
    assert.equal(made.status, 0, made.stderr);
    for (const one of mode.hierarchies)
      mkdirSync(`${one.path}/${group}/counter.service`, { recursive: true });
    nginx = startInside(fixture, ["/usr/sbin/nginx", "-c", "/srv/counter/nginx.conf", "-g", "daemon off;"]);
    for (const pid of [nginx.pid, ...(await childrenOf(nginx.pid, 2))])
      for (const one of mode.hierarchies)
        if (one.version === 2 || !one.controllers.includes("cpuset"))
          writeFileSync(`${one.path}/${group}/counter.service/cgroup.procs`, String(pid));
    await until(async () => (await page(9081)) === "the counter");
  });
  after(async () => {
    nginx?.terminate();
    await nginx?.ended;
    await killCgroup(group);
    await removeCgroup(group);
    await fixture?.clean();
    await fixture?.remove();
  });

  const ways = [
    ["--service", "counter"],
    ["--listening", "9081"],
  ];
  for (const words of soaking ? ways : ways.slice(1))
    it(`is found by its control group (${words.join(" ")}), and started as its unit says`, async () => {
      const made = await fixture.cli(["capture", "process", "--for", "0s", "-t", "counter", ...words]);
      assert.equal(made.status, 0, made.stderr);
      assert.match(made.stderr, /\(\/usr\/sbin\/nginx\) with 2 others of its own, the service counter$/m);
      const shown = await fixture.cli(["package", "show", "counter"]);
      assert.match(shown.stdout, /COUNTER: unit/);
      assert.match(shown.stdout, /signal: SIGQUIT/);
      const ran = await fixture.cli(["run", "-d", "--name", "counter", "-p", "19081:9081", "counter"]);
      assert.equal(ran.status, 0, ran.stderr);
      await until(async () => (await page(19081)) === "the counter");
      assert.equal(await processesNamed(fixture, "counter", "nginx"), 3);
      const removed = await fixture.cli(["rm", "-f", "-v", "counter"]);
      assert.equal(removed.status, 0, removed.stderr);
    });
});

/** In an instance, by a shell that needs no other program. */
async function processesNamed(fixture: Fixture, instance: string, name: string): Promise<number> {
  const script = "for f in /proc/[0-9]*/comm; do read -r name <$f; echo $name; done";
  const listed = await fixture.cli(["exec", instance, "/bin/sh", "-c", script]);
  assert.equal(listed.status, 0, listed.stderr);
  return listed.stdout.split("\n").filter((line) => line === name).length;
}

/** When it has so many. */
async function childrenOf(pid: number, count: number): Promise<number[]> {
  const children = () =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ").filter(Boolean).map(Number);
  await until(() => children().length >= count);
  return children();
}

describe("capture process: a server of an old machine", {
  skip: skip || (whyNoApplications() ?? false),
  timeout: 1_200_000,
}, () => {
  let fixture: Fixture;
  let base: string;
  let machine: Started;
  let master = 0;
  let behaviour = "";

  const listens = (): Promise<void> =>
    until(async () => {
      const { stdout } = await fixture.cli(["ps", "-a", "--format", "{{.Status}}"]);
      if (/^exited/i.test(stdout)) throw new Error((await fixture.cli(["logs", "old"])).stderr);
      return (await fixture.inside(["curl", "-s", "http://127.0.0.1/"])).status === 0;
    });
  /** By the name of the check. */
  const answers = async (): Promise<Record<string, string>> => {
    const results = mkdtempSync(join(base, "answers-"));
    const asked = await fixture.inside(["bash", "-c", behaviour], { env: { TRANSHIP_RESULTS: results } });
    assert.equal(asked.status, 0, asked.stderr);
    const names = readdirSync(results).sort();
    assert.ok(names.length > 20, names.join());
    return Object.fromEntries(names.map((name) => [name, readFileSync(join(results, name), "latin1")]));
  };

  before(async () => {
    const root = buildApplication("nginx").replace(/^rootfs:/, "");
    const scripts = ["checks.sh", "nginx/behaviour"].map((name) => join(installRoot, "test/apps", name));
    behaviour = scripts.map((path) => readFileSync(path, "utf8")).join("\n");
    fixture = await makeFixture();
    base = mkdtempSync(join(tmpdir(), "tranship-old-"));
    // A machine of its own but for the network: its pids begin at 1, and its root is none of this host's directories.
    const script = `mount -t tmpfs none ${base} && mkdir ${base}/root ${base}/upper ${base}/work &&
      mount -t overlay -o lowerdir=${root},upperdir=${base}/upper,workdir=${base}/work none ${base}/root && cd ${base}/root &&
      mount -t proc proc proc && mount -t tmpfs none run && mount --rbind /dev dev && pivot_root . mnt && umount -l mnt &&
      exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -c '/usr/sbin/nginx -g "daemon off;" & wait'`;
    machine = startInside(fixture, ["unshare", "-m", "-p", "--fork", "--kill-child", "sh", "-c", script]);
    await listens();
    const [shell = 0] = await childrenOf(machine.pid, 1);
    [master = 0] = await childrenOf(shell, 1);
  });
  after(async () => {
    await machine?.stop();
    await fixture?.clean();
    await fixture?.remove();
    if (base !== undefined) rmSync(base, { recursive: true, force: true });
  });

  it("nginx of Debian 11 with master and workers, named by port and by number, gives the same answers", async () => {
    const kept = ["--keep-secret", "/etc/ssl/private/ssl-cert-snakeoil.key"];
    const native = await answers();
    const workers = (await childrenOf(master, 1)).length;
    for (const words of [
      ["--pid", String(master)],
      ["--listening", "80"],
    ]) {
      const made = await fixture.cli([
        "capture",
        "process",
        "--for",
        "0s",
        "-t",
        words[0]?.slice(2) ?? "",
        ...kept,
        ...words,
      ]);
      assert.equal(made.status, 0, made.stderr);
      assert.ok(
        made.stderr.includes(`process ${master} (/usr/sbin/nginx) with ${workers} others of its own`),
        made.stderr,
      );
    }
    assert.deepEqual(await answers(), native, "it was left alone");
    await machine.stop();
    for (const reference of ["pid", "listening"]) {
      const ran = await fixture.cli([
        "run",
        "-d",
        "--name",
        "old",
        "-p",
        "80:80",
        "-p",
        "443:443",
        reference,
      ]);
      assert.equal(ran.status, 0, ran.stderr);
      await listens();
      assert.deepEqual(await answers(), native, reference);
      assert.equal(await processesNamed(fixture, "old", "nginx"), workers + 1);
      const removed = await fixture.cli(["rm", "-f", "-v", "old"]);
      assert.equal(removed.status, 0, removed.stderr);
    }
  });
});
