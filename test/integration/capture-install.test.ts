// Installers on overlays: what is found in the difference is what really changed, the machine stays as it was, and nothing is left
// of installers that fail or are stopped.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  blobs, type CaptureHost, captureHost, descendant, failsCleanly, noImage, nothingLeft, stopped, tells, whyNoCapture,
} from "../support/capture.ts"; // biome-ignore format: short
import { soaking } from "../support/counts.ts";
import { eventually } from "../support/enter.ts";
import { treeState } from "../support/small-root.ts";

const skip = whyNoCapture();

const install = (host: CaptureHost, ...words: string[]): string[] => [
  "capture", "install", "-m", host.machine, "-t", "x", ...words,
]; // biome-ignore format: words

/** One of each kind of change that a file system knows. */
const script = `
set -e
B=/bin/busybox
mkdir -p /opt/app/bin /var/log/app
echo '#!/bin/sh' >/opt/app/bin/tool
echo 'echo tool' >>/opt/app/bin/tool
$B chmod 755 /opt/app/bin/tool
$B ln /opt/app/bin/tool /opt/app/bin/second
$B ln -s ../../opt/app/bin/tool /usr/bin/tool
$B mkfifo /opt/app/fifo
echo odd >"/opt/app/$($B printf 'a b\\377')"
echo more >>/etc/hosts
$B chmod 600 /etc/os-release
$B chown 33:33 /etc/nsswitch.conf
$B touch -d '2020-01-01 00:00' /bin/busybox
$B cp /etc/group /etc/group.new
$B mv /etc/group.new /etc/group
$B mv /srv/www /srv/site
rm -rf /etc/systemd/system
mkdir -p /etc/systemd/system/multi-user.target.wants
$B printf '[Service]\\nExecStart=/bin/httpd -f -p 8081 -h /srv/site\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/app.service
$B ln -s ../app.service /etc/systemd/system/multi-user.target.wants/app.service
$B ln -sf /bin/busybox /bin/true
rm /srv/kind
mkdir /srv/kind
rm -rf /var/tmp
echo 'app:x:900:900::/opt/app:/bin/sh' >>/etc/passwd
echo log >/var/log/app/log
echo temporary >/tmp/file
`;

interface Changes {
  made: string[];
  changed: string[];
  /** Topmost only. */
  removed: string[];
}

/** The judge: two directories, compared by nothing but lstat and read. */
function compared(old: string, now: string): Changes {
  const left = listed(old);
  const right = listed(now);
  const made = [...right.keys()].filter((path) => !left.has(path));
  const gone = [...left.keys()].filter((path) => !right.has(path));
  const above = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/";
  const top = gone.filter((path) => !gone.includes(above(path)));
  const changed = [...right.keys()].filter((path) => left.has(path) && left.get(path) !== right.get(path));
  return { made: made.sort(), changed: changed.sort(), removed: top.sort() };
}

function listed(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (path: Buffer, shown: string): void => {
    const stat = lstatSync(path);
    const link = stat.isSymbolicLink() ? readlinkSync(path) : "";
    const content = stat.isFile() ? readFileSync(path).toString("base64") : "";
    found.set(shown || "/", `${stat.mode.toString(8)} ${stat.uid} ${stat.gid} ${link} ${content}`);
    if (!stat.isDirectory() || /^\/(proc|sys|dev|run|tmp|\.tranship)$/.test(shown)) return;
    for (const name of readdirSync(path, "buffer"))
      visit(Buffer.concat([path, Buffer.from("/"), name]), `${shown}/${name.toString("latin1")}`);
  };
  visit(Buffer.from(root), "");
  return found;
}

/** What the evidence of a plan says of the installer. */
function told(plan: string): Changes & { noise: string[] } {
  const evidence = JSON.parse(readFileSync(`${plan}.evidence.json`, "utf8"));
  const plain = (path: string): string =>
    path.replace(/\\x([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  const having = (reason: string): string[] =>
    Object.entries<number[]>(evidence.paths)
      .filter(([, numbers]) => numbers.some((number) => evidence.reasons[number] === reason))
      .map(([path]) => plain(path))
      .sort();
  const out = (fits: (why: string) => boolean): string[] =>
    Object.entries<string>(evidence.excluded)
      .filter(([, why]) => fits(why))
      .map(([path]) => path)
      .sort();
  return {
    made: having("made by the installer"),
    changed: having("changed by the installer"),
    removed: out((why) => why === "removed by the installer"),
    noise: out((why) => /^(log|lives only|temporary)/.test(why)),
  };
}

test("every kind of change is found, and the machine stays as it was", { skip }, async (t) => {
  const host = await captureHost(t);
  writeFileSync(join(host.base, "install.sh"), script);
  writeFileSync(join(host.source, "srv/kind"), "a file");
  const before = treeState(host.source);
  const plan = join(host.base, "plan.yaml");
  const words = install(
    host,
    "--plan-only",
    "-o",
    plan,
    "--with",
    join(host.base, "install.sh"),
    "--",
    "sh",
    "install.sh",
  );
  const made = await host.tool(words);
  assert.equal(made.status, 0, made.stderr);
  assert.deepEqual(treeState(host.source), before);
  await nothingLeft(host);
  // The same script on a copy, and the judge.
  const copy = join(host.base, "copy");
  execFileSync("cp", ["-a", host.source, copy]);
  writeFileSync(join(copy, "script"), script);
  execFileSync("chroot", [copy, "/bin/sh", "/script"]);
  rmSync(join(copy, "script"));
  const want = compared(host.source, copy);
  const found = told(plan);
  assert.deepEqual(found.noise, ["/var/log/app/log"]);
  assert.deepEqual(
    found.made,
    want.made.filter((path) => path !== "/var/log/app/log"),
  );
  assert.deepEqual(found.changed, want.changed);
  assert.deepEqual(found.removed, want.removed);
  const packed = await host.tool(["plan", "show", "--format", "json", plan]);
  for (const path of ["/bin/busybox", "/etc/group"])
    assert.ok(packed.stdout.includes(`"${path}"`) && !found.changed.includes(path), `${path} is as it was`);
  assert.ok(
    found.made.includes("/srv/site/index.html") && found.removed.includes("/srv/www"),
    "a directory that moved",
  );
  assert.ok(found.removed.includes("/etc/systemd/system/web.service"), "an opaque directory");
  assert.match(made.stderr, /services: app\n {2}programs: second, tool\n {2}users: app/);
});

test("jobs that an installer brings without a service are the package's, those of the machine are not", {
  skip,
}, async (t) => {
  const host = await captureHost(t);
  mkdirSync(join(host.source, "etc/cron.d"), { recursive: true });
  writeFileSync(join(host.source, "etc/cron.d/other"), "3 4 * * * root /bin/other\n");
  const plan = join(host.base, "plan.yaml");
  const made = await host.tool(
    install(
      host, "--plan-only", "-o", plan, "--", "sh", "-c",
      "mkdir -p /opt/job/bin /var/spool/cron/crontabs && cp /bin/busybox /opt/job/bin/job && echo '5 * * * * root /opt/job/bin/job date' >/etc/cron.d/job",
    ),
  ); // biome-ignore format: words
  assert.equal(made.status, 0, made.stderr);
  assert.match(made.stderr, /schedules: \/etc\/cron\.d\/job$/m);
  const text = readFileSync(plan, "utf8");
  assert.match(text, /schedules:\n +- name: cron-job\n +cron: "?5 \* \* \* \*"?\n +program: cron-job\n/);
  assert.doesNotMatch(text, /cron-other/);
  await nothingLeft(host);
});

test("file systems that are mounted in the machine are compared too", { skip }, async (t) => {
  const host = await captureHost(t);
  const data = join(host.source, "srv/deep/data");
  mkdirSync(data, { recursive: true });
  assert.equal((await host.inside(["mount", "-t", "tmpfs", "none", data])).status, 0);
  assert.equal((await host.inside(["sh", "-c", `echo old >${data}/old; echo gone >${data}/gone`])).status, 0);
  host.rebase();
  const plan = join(host.base, "plan.yaml");
  const made = await host.tool(
    install(
      host,
      "--plan-only",
      "-o",
      plan,
      "--",
      "sh",
      "-c",
      "echo new >/srv/deep/data/new; echo new >>/srv/deep/data/old; rm /srv/deep/data/gone",
    ),
  );
  assert.equal(made.status, 0, made.stderr);
  const { made: paths, changed, removed } = told(plan);
  assert.deepEqual(
    [paths, changed, removed],
    [["/srv/deep/data/new"], ["/srv/deep/data/old"], ["/srv/deep/data/gone"]],
  );
  assert.equal((await host.inside(["cat", `${data}/old`])).stdout, "old\n");
  await nothingLeft(host);
});

test("installers that fail, are missing or do nothing give no package", { skip }, async (t) => {
  const host = await captureHost(t);
  const before = treeState(host.source);
  const failing = await host.tool(
    install(host, "--", "sh", "-c", "echo half >/etc/half; echo no room >&2; exit 7"),
  );
  assert.match(failing.stderr, /^no room$/m, "its output is shown");
  assert.doesNotMatch(failing.stderr, /^tree:/m, "and no other program's");
  await failsCleanly(host, failing, {
    code: "E_CAPTURE_FAILED",
    says: /ended with status 7/,
    hint: /--network host/,
  });
  const killed = await host.tool(install(host, "--", "sh", "-c", "kill -9 $$"));
  await failsCleanly(host, killed, { code: "E_CAPTURE_FAILED", says: /killed by signal 9/ });
  const missing = await host.tool(install(host, "--", "apt-get", "install", "shop"));
  await failsCleanly(host, missing, { code: "E_COMMAND_NOT_FOUND", says: /apt-get/ });
  const nothing = await host.tool(install(host, "--", "true"));
  await failsCleanly(host, nothing, { code: "E_CAPTURE_FAILED", says: /changed nothing/ });
  const noFile = await host.tool(install(host, "--with", "/no/such.deb", "--", "true"));
  await failsCleanly(host, noFile, { code: "E_USAGE", status: 2, says: /no\/such\.deb/ });
  const none = await host.tool(install(host));
  await failsCleanly(host, none, { code: "E_USAGE", status: 2, says: /no installer/ });
  const devices = "exit $(/bin/busybox grep -c : /proc/net/dev)";
  const offline = await host.tool(install(host, "--", "sh", "-c", devices));
  await failsCleanly(host, offline, { code: "E_CAPTURE_FAILED", says: /ended with status 1/ });
  assert.deepEqual(treeState(host.source), before);
});

test("--dry-run runs nothing; a plan of an installation that was only printed is for reading", {
  skip,
}, async (t) => {
  const host = await captureHost(t);
  const dry = await host.tool(
    install(host, "--dry-run", "--network", "host", "--", "sh", "-c", "echo x >/etc/x"),
  );
  assert.equal(dry.status, 0, dry.stderr);
  assert.match(
    dry.stdout,
    /would run on overlays over rootfs:.*\n {2}\/bin\/sh -c echo x >\/etc\/x\n {2}with the network/,
  );
  await noImage(host);
  const plan = join(host.base, "plan.yaml");
  const made = await host.tool(install(host, "--plan-only", "--", "sh", "-c", "echo x >/etc/x"));
  assert.equal(made.status, 0, made.stderr);
  writeFileSync(plan, made.stdout);
  for (const verb of ["install", "run", "machine"]) {
    const carried = await host.tool(["capture", verb, "-t", "x", "--plan", plan]);
    await failsCleanly(host, carried, {
      code: "E_PLAN_INVALID",
      says: /plan of an installation/,
      hint: /written with -o keeps them/,
    });
  }
});

test("a plan of an installation keeps what was installed, and is carried out later", { skip }, async (t) => {
  const host = await captureHost(t);
  writeFileSync(join(host.source, "srv/kind"), "a file\n");
  const before = treeState(host.source);
  const plan = join(host.base, "plan.yaml");
  const made = await host.tool(install(host, "--plan-only", "-o", plan, "--", "sh", "-c", script));
  assert.equal(made.status, 0, made.stderr);
  assert.deepEqual(treeState(host.source), before);
  await nothingLeft(host);
  // As a person edits it.
  const text = readFileSync(plan, "utf8");
  assert.match(text, /\n {6}\/opt\/app\/bin\/second\n/);
  writeFileSync(plan, text.replace("\n      /opt/app/fifo\n", "\n"));
  const carried = await host.tool(["capture", "install", "--plan", plan, "-t", "later"]);
  assert.equal(carried.status, 0, carried.stderr);
  assert.match((await host.tool(["verify", "later"])).stdout, /: 0 errors/);
  const look =
    "tool; tail -n 1 /etc/passwd; ls -l /usr/bin/tool /etc/os-release; cat /opt/app/a*; ls /opt/app; stat -c %h /opt/app/bin/second";
  const ran = await host.tool(["run", "--rm", "later", "/bin/busybox", "sh", "-c", look]);
  assert.match(ran.stdout, /^tool\napp:x:900:900/, ran.stderr);
  assert.match(ran.stdout, /-rw------- .* \/etc\/os-release\n/);
  assert.match(ran.stdout, /tool -> \.\.\/\.\.\/opt\/app\/bin\/tool\n/);
  assert.match(ran.stdout, /odd\n/);
  assert.doesNotMatch(ran.stdout, /fifo/);
  assert.match(ran.stdout, /\n2\n$/, "two names of one file");
  assert.match((await host.tool(["why", "later", "/opt/app/bin/tool"])).stdout, /installer/);
  writeFileSync(`${plan}.recovered/files/opt/app/bin/tool`, "#!/bin/sh\necho other\n");
  const other = await host.tool(["capture", "install", "--plan", plan, "-t", "other"]);
  tells(other, { code: "E_SOURCE_CHANGED", says: /opt\/app\/bin\/(second|tool)/, hint: /anew/ });
  await nothingLeft(host);
});

test("Ctrl-C while the installer runs, while it is compared and while it is packed", { skip }, async (t) => {
  const host = await captureHost(t);
  const before = treeState(host.source);
  const interrupted = { code: "E_INTERRUPTED", status: 130, says: /stopped/, hint: /.*/ };
  await t.test("running", async () => {
    const running = await host.start(install(host, "--", "sh", "-c", "echo x >/etc/x; sleep 1000; true"));
    await eventually("it runs", () => descendant(running.pid, /^sleep 1000/) !== undefined);
    process.kill(running.pid, "SIGINT");
    await failsCleanly(host, await running.exit, interrupted);
  });
  for (const step of [
    "hold the mounts of the installer",
    "the installer has ended",
    "compare before and after",
    "write the app layer",
  ]) {
    await t.test(step, async () => {
      const running = await host.start(install(host, "--", "sh", "-c", "mkdir /opt; echo x >/opt/x"), {
        TRANSHIP_STOP_AT: step,
      });
      await stopped(running);
      process.kill(running.pid, "SIGINT");
      running.resume();
      await failsCleanly(host, await running.exit, interrupted);
    });
  }
  assert.deepEqual(treeState(host.source), before);
});

test("kill -9 at every step", { skip }, async (t) => {
  const host = await captureHost(t);
  const before = treeState(host.source);
  const list = join(host.base, "steps");
  const words = install(host, "--", "sh", "-c", "mkdir /opt; echo x >/opt/x");
  const whole = await host.tool(words, { TRANSHIP_STEPS_FILE: list });
  assert.equal(whole.status, 0, whole.stderr);
  const steps = readFileSync(list, "utf8").trim().split("\n");
  for (const name of [
    /start the installer/,
    /hold the mounts/,
    /has ended/,
    /compare before/,
    /remove the install work/,
  ])
    assert.ok(
      steps.some((step) => name.test(step)),
      String(name),
    );
  for (const [index, step] of steps.entries()) {
    // What comes behind the comparison is that of every capture: a sample stands for it.
    if (!soaking && !/install|compare|plan/.test(step) && index % 9 !== 0) continue;
    await t.test(step, async () => {
      rmSync(host.state, { recursive: true, force: true });
      const killed = await host.tool(words, { TRANSHIP_CRASH_AT: String(index + 1) });
      assert.equal(killed.status, 137, killed.stderr);
      await eventually("nothing runs any more", () =>
        host.leftovers().every((one) => !one.startsWith("process")),
      );
      assert.equal((await host.tool(["images"])).status, 0);
      await nothingLeft(host);
    });
  }
  const again = await host.tool(words);
  assert.equal(again.status, 0, again.stderr);
  assert.ok(blobs(host).length > 0);
  assert.deepEqual(treeState(host.source), before);
});
