// Schedules of a made-up machine as programs and schedules of a package.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeApplication } from "../../../src/capture/application/application.ts";
import { applicationSchedules } from "../../../src/capture/application/schedules.ts";
import { type Evidence, newEvidence, noteUse } from "../../../src/capture/evidence/evidence.ts";
import { loadInstalled } from "../../../src/closure/installed.ts";
import { cronCommand, parseCrontab } from "../../../src/formats/cron.ts";
import { type MadeUpTree, memoryMachine } from "../../support/memory-machine.ts";

const dpkg = "Package: other\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nDescription: x\n";
const machine = memoryMachine({
  "/etc/passwd":
    "root:x:0:0::/root:/bin/sh\nshop:x:1000:1000::/home/shop:/bin/sh\nnone:x:99:99::/nonexistent:/bin/sh\n",
  "/root": { kind: "directory" },
  "/home/shop": { kind: "directory" },
  "/bin/sh": { text: "x", mode: 0o755 },
  "/srv/nightly": { text: "#!/bin/sh\n", mode: 0o755 },
  "/etc/cron.d/shop": [
    "0 1 * * * shop early",
    "PATH=/srv/jobs:/bin",
    'MODE="all of it"',
    "MAILTO=root",
    '0 3 * * * shop /srv/nightly "$(date "+\\%F")"%one%two',
    "@reboot none /srv/nightly",
    "",
  ].join("\n"),
  "/etc/cron.d/other": "0 4 * * * root other\n",
  "/etc/cron.daily/shop": { text: "#!/bin/sh\n", mode: 0o755 },
  "/etc/cron.daily/shop.sh": { text: "#!/bin/sh\n", mode: 0o755 },
  "/etc/cron.weekly/shop": { text: "not executable", mode: 0o644 },
  "/etc/systemd/system/late.timer": "[Timer]\nOnCalendar=*-*-* 04:00\n[Install]\nWantedBy=timers.target\n",
  "/etc/systemd/system/late.service": "[Service]\nExecStart=/srv/nightly\n",
  "/etc/systemd/system/timers.target.wants/late.timer": { kind: "symlink", target: "../late.timer" },
  "/etc/systemd/system/often.timer":
    "[Timer]\nOnCalendar=Mon..Fri *-*-* 08..18:0/20\nOnCalendar=Sat 12:00\nOnBootSec=5min\n[Install]\nWantedBy=timers.target\n",
  "/etc/systemd/system/often.service":
    "[Service]\nType=oneshot\nUser=shop\nUMask=0027\nEnvironment=MODE=often\nWorkingDirectory=/home/shop\nRuntimeDirectory=often\nExecStart=-/srv/nightly 'the first'\nExecStart=/srv/nightly second\n",
  "/etc/systemd/system/timers.target.wants/often.timer": { kind: "symlink", target: "../often.timer" },
  "/etc/systemd/system/again.timer":
    "[Timer]\nOnBootSec=1min\nOnUnitActiveSec=6h\nUnit=late.service\n[Install]\nWantedBy=timers.target\n",
  "/etc/systemd/system/timers.target.wants/again.timer": { kind: "symlink", target: "../again.timer" },
  "/etc/systemd/system/odd.timer":
    "[Timer]\nOnCalendar=Sun *-*-1..7 03:00\nUnit=late.service\n[Install]\nWantedBy=timers.target\n",
  "/etc/systemd/system/timers.target.wants/odd.timer": { kind: "symlink", target: "../odd.timer" },
  "/var/lib/dpkg/status": dpkg,
  "/var/lib/dpkg/info/other.list": "/.\n/etc\n/etc/cron.d\n/etc/cron.d/other\n",
});

async function schedulesOf(brought?: ReadonlySet<string>) {
  const none = { name: "shop", services: [], command: ["/bin/sh"], environment: {}, ports: [] };
  const descriptor = await describeApplication(machine, none);
  const installed = await loadInstalled(machine.files);
  return await applicationSchedules({
    machine,
    installed,
    descriptor,
    ...(brought === undefined ? {} : { brought }),
  });
}

test("a job is started as cron starts it: variables, home, input, its own percent signs", async () => {
  const { programs, schedules, notes } = await schedulesOf();
  assert.deepEqual(
    schedules.map(({ name, cron }) => `${name} ${cron}`),
    [
      "cron-shop 0 1 * * *",
      "cron-shop-2 0 3 * * *",
      "cron-shop-3 @reboot",
      "cron-shop-4 @daily",
      "timer-again 0 */6 * * *",
      "timer-late 0 4 * * *",
      "timer-often */20 8-18 * * 1,2,3,4,5",
      "timer-often-2 0 12 * * 6",
    ],
  );
  const [early, nightly, boot, daily] = programs;
  assert.equal(early?.environment, undefined, "only what stands above it");
  assert.equal(early?.workingDirectory, "/home/shop");
  assert.deepEqual(nightly?.environment, { PATH: "/srv/jobs:/bin", MODE: "all of it" });
  assert.equal(nightly?.command[2], 'printf %s "$1" | {\n/srv/nightly "$(date "+%F")"\n}');
  assert.equal(nightly?.command[4], "one\ntwo\n");
  assert.equal(boot?.workingDirectory, undefined, "a home that is not there");
  assert.deepEqual(daily?.command, ["/bin/sh", "-c", "/etc/cron.daily/shop"]);
  assert.equal(notes.length, 1);
  assert.match(
    notes[0] ?? "",
    /odd\.timer, which starts late, does not come along \(OnCalendar=Sun.*\): cron cannot say/,
  );
});

test("a timer's service is started by its recipe", async () => {
  const { programs, directories, seeds } = await schedulesOf();
  const often = programs.find((one) => one.name === "timer-often");
  assert.deepEqual(often?.command, [
    "/bin/sh",
    "-c",
    "set -e\numask 27\n/srv/nightly 'the first' || true\nexec /srv/nightly second",
  ]);
  assert.equal(often?.user, "shop");
  assert.equal(often?.workingDirectory, "/home/shop");
  assert.equal(often?.environment?.MODE, "often");
  assert.deepEqual(directories, [{ path: "/run/often", mode: "0755", uid: 1000, gid: 1000 }]);
  assert.deepEqual(programs.find((one) => one.name === "timer-late")?.command, ["/srv/nightly"]);
  const from = "/etc/systemd/system/often.timer";
  const brought = seeds.filter(({ reason }) => "from" in reason && reason.from === from);
  assert.deepEqual(brought.map(({ path }) => path).sort(), ["/bin/sh", "/home/shop", "/srv/nightly"]);
});

test("what an installer made is the application's, whoever owns it", async () => {
  const { schedules } = await schedulesOf(new Set(["/etc/cron.d/other"]));
  assert.ok(schedules.some((one) => one.cron === "0 4 * * *"));
});

test("logs of the application are rotated as on the machine, those of others are not", async () => {
  const list = (name: string, ...paths: string[]) => ({
    [`/var/lib/dpkg/info/${name}.list`]: ["/.", ...paths, ""].join("\n"),
  });
  const files = {
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "/bin/sh": { text: "x", mode: 0o755 },
    "/bin/gzip": { text: "x", mode: 0o755 },
    "/usr/sbin/shopd": { text: "x", mode: 0o755 },
    "/usr/sbin/tell": { text: "x", mode: 0o755 },
    "/usr/sbin/logrotate": { text: "x", mode: 0o755 },
    "/etc/logrotate.conf": "weekly\ncompress\ninclude /etc/logrotate.d\n",
    "/etc/logrotate.d/shop": "/var/log/shop/*.log {\n postrotate\n  tell shop\n endscript\n}\n",
    "/etc/logrotate.d/other": "/var/log/other.log {\n}\n",
    "/var/lib/dpkg/status": ["shopd", "shop-common", "other"]
      .map(
        (name) =>
          `Package: ${name}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n${name === "shopd" ? "Depends: shop-common\n" : ""}Description: x\n`,
      )
      .join("\n"),
    ...list("shopd", "/usr/sbin/shopd"),
    ...list("shop-common", "/etc/logrotate.d/shop"),
    ...list("other", "/etc/logrotate.d/other"),
  };
  const planned = async (more: object, evidence?: Evidence) => {
    const host = memoryMachine({ ...files, ...more });
    const none = { name: "shop", services: [], command: ["/usr/sbin/shopd"], environment: {}, ports: [] };
    const descriptor = await describeApplication(host, none);
    const installed = await loadInstalled(host.files);
    return await applicationSchedules({ machine: host, installed, descriptor, evidence });
  };
  assert.deepEqual((await planned({})).schedules, [], "nothing runs it there");
  const daily = {
    "/etc/cron.daily/logrotate": { text: "#!/bin/sh\n", mode: 0o755 },
    ...list("logrotate", "/etc/cron.daily/logrotate"),
  };
  const statused = `${files["/var/lib/dpkg/status"]}\nPackage: logrotate\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nDescription: x\n`;
  const made = await planned({ ...daily, "/var/lib/dpkg/status": statused });
  assert.deepEqual(made.schedules, [{ name: "logrotate", cron: "@daily", program: "logrotate" }]);
  assert.deepEqual(made.programs[0]?.command, ["/usr/sbin/logrotate", "/etc/logrotate.conf"]);
  const seeds = new Set(made.seeds.map(({ path }) => path));
  for (const path of [
    "/usr/sbin/logrotate",
    "/etc/logrotate.conf",
    "/etc/logrotate.d/shop",
    "/usr/sbin/tell",
    "/bin/gzip",
  ])
    assert.ok(seeds.has(path), path);
  assert.ok(!seeds.has("/etc/logrotate.d/other"));
  const managed = "/var/log/shop/*.log {\n postrotate\n  invoke-rc.d shop rotate\n endscript\n}\n";
  const told = await planned({
    ...daily,
    "/var/lib/dpkg/status": statused,
    "/etc/logrotate.d/shop": managed,
  });
  assert.deepEqual(told.schedules, [], "nobody would tell the application");
  assert.match(told.notes[0] ?? "", /logrotate\.d\/shop does not come along/);
  const evidence = newEvidence();
  noteUse(evidence, "/var/log/other.log", "write", "/usr/sbin/shopd").found = true;
  const written = await planned({ ...daily, "/var/lib/dpkg/status": statused }, evidence);
  assert.ok(
    written.seeds.some(({ path }) => path === "/etc/logrotate.d/other"),
    "it writes there",
  );
});

const packaged = (name: string, ...paths: string[]) => ({
  [`/var/lib/dpkg/info/${name}.list`]: ["/.", ...paths, ""].join("\n"),
});
const statusOf = (...names: string[]) =>
  names
    .map(
      (name) =>
        `Package: ${name}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nDescription: x\n`,
    )
    .join("\n");
const elf = { bytes: Buffer.from("\x7fELF", "latin1"), mode: 0o755 };

async function ofShop(more: MadeUpTree, evidence?: Evidence) {
  const host = memoryMachine({
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "/bin/sh": elf,
    "/bin/readlink": elf,
    "/usr/sbin/shop-core": elf,
    "/usr/sbin/shopd": "-> shop-core",
    "/usr/sbin/logrotate": elf,
    "/etc/logrotate.conf": "include /etc/logrotate.d\n",
    "/etc/cron.daily/logrotate": { text: "#!/bin/sh\n", mode: 0o755 },
    "/lib/systemd/system/shop.service":
      "[Service]\nExecStart=/usr/sbin/shopd\nExecReload=/bin/kill -USR1 $MAINPID\n",
    "/etc/init.d/shop": { text: "#!/bin/sh\ncase $1 in\n  rotate) helper;;\nesac\n", mode: 0o755 },
    "/usr/bin/helper": elf,
    "/var/lib/dpkg/status": statusOf("shop-server", "shop-core", "logrotate", "other"),
    ...packaged("shop-core", "/usr/sbin/shop-core", "/usr/sbin/shopd"),
    ...packaged("shop-server", "/lib/systemd/system/shop.service", "/etc/logrotate.d/shop"),
    ...packaged("logrotate", "/etc/cron.daily/logrotate"),
    ...more,
  });
  const asked = { name: "shop", services: ["shop"], command: [], environment: {}, ports: [] };
  const descriptor = await describeApplication(host, asked);
  const installed = await loadInstalled(host.files);
  return await applicationSchedules({ machine: host, installed, descriptor, evidence });
}

const rule = (script: string) => ({ "/etc/logrotate.d/shop": `/var/log/shop.log {\n postrotate\n${script}\n endscript\n}\n` }); // biome-ignore format: short

test("a rule of the package that has the unit comes along; what it asks a service manager for is told without one", async () => {
  const cases: [script: string, told: RegExp][] = [
    ["systemctl reload shop.service >/dev/null", /\nshop:reload\) tell USR1 \/usr\/sbin\/shop-core ;;\n/],
    ["systemctl kill -s HUP shop", /\nshop:kill\) tell HUP \/usr\/sbin\/shop-core ;;\n/],
    [
      "if invoke-rc.d --quiet shop status; then invoke-rc.d shop rotate; fi",
      /\nshop:rotate\) \/etc\/init.d\/shop rotate ;;\n/,
    ],
    ["[ -x /usr/sbin/service ] && service shop force-reload || true", /\nshop:force-reload\) tell USR1/],
  ];
  for (const [script, told] of cases) {
    const { programs, notes, seeds } = await ofShop(rule(script));
    const [logrotate] = programs;
    assert.deepEqual(notes, [], script);
    assert.match(logrotate?.command.join("\n") ?? "", told);
    assert.deepEqual(logrotate?.command.slice(-2), ["/usr/sbin/logrotate", "/etc/logrotate.conf"]);
    const paths = new Set(seeds.map(({ path }) => path));
    assert.ok(paths.has("/bin/readlink") && paths.has("/etc/logrotate.d/shop"));
    assert.equal(paths.has("/usr/bin/helper"), script.includes("rotate;"), "what the init script calls");
  }
});

test("a call that nobody can carry out without a service manager leaves the rule behind", async () => {
  for (const script of [
    "systemctl restart shop", "systemctl reload other", "/bin/systemctl reload shop", "sh -c 'systemctl reload shop'", "invoke-rc.d shop unknown",
    "initctl reload shop", "$SERVICE shop reload; systemctl $verb shop", "systemctl kill -s HUP shop; systemctl kill -s USR2 shop",
  ]) {
    const { schedules, notes } = await ofShop(rule(script));
    assert.deepEqual(schedules, [], script);
    assert.match(notes[0] ?? "", /logrotate\.d\/shop does not come along/, script);
  } // biome-ignore format: a list
});

test("jobs of the application's own packages and their family come along, a timer in place of its job, those of others do not", async () => {
  const job = { text: "#!/bin/sh\n[ -d /run/systemd/system ] && exit 0\n", mode: 0o755 };
  const more = {
    "/etc/cron.daily/shop-server": { text: "#!/bin/sh\n", mode: 0o755 },
    "/etc/cron.daily/shop-tools": job,
    "/etc/cron.d/other": "0 4 * * * root other\n",
    "/etc/cron.d/plug": "0 5 * * * root plug\n",
    "/lib/systemd/system/shop-tools.timer":
      "[Timer]\nOnCalendar=*-*-* 04:00\n[Install]\nWantedBy=timers.target\n",
    "/lib/systemd/system/shop-tools.service": "[Service]\nExecStart=/usr/bin/helper\n",
    "/etc/systemd/system/timers.target.wants/shop-tools.timer": "-> /lib/systemd/system/shop-tools.timer",
    "/usr/lib/plug/plug.so": elf,
    "/var/lib/dpkg/status": statusOf(
      "shop-server",
      "shop-core",
      "logrotate",
      "other",
      "shop-tools",
      "plug7-so",
      "plug-common",
    ),
    ...packaged("shop-server", "/lib/systemd/system/shop.service", "/etc/cron.daily/shop-server"),
    ...packaged("shop-tools", "/etc/cron.daily/shop-tools", "/lib/systemd/system/shop-tools.timer"),
    ...packaged("other", "/etc/cron.d/other"),
    ...packaged("plug7-so", "/usr/lib/plug/plug.so"),
    ...packaged("plug-common", "/etc/cron.d/plug"),
  };
  const names = async (evidence?: Evidence) =>
    (await ofShop(more, evidence)).schedules.map((one) => one.name).sort();
  assert.deepEqual(await names(), ["cron-shop-server", "timer-shop-tools"]);
  const evidence = newEvidence();
  noteUse(evidence, "/usr/lib/plug/plug.so", "open", "/usr/sbin/shopd").found = true;
  assert.deepEqual(await names(evidence), ["cron-plug", "cron-shop-server", "timer-shop-tools"]);
});

test("crontab: percent signs, and variables in number", () => {
  assert.deepEqual(cronCommand("date +\\%F"), { command: "date +%F", input: undefined });
  assert.deepEqual(cronCommand("cat%a\\%b%c"), { command: "cat", input: "a%b\nc\n" });
  const many = Array.from({ length: 3000 }, (_, at) => `V${at}=x`).join("\n");
  assert.equal(Object.keys(parseCrontab(`${many}\n`, true).environment).length, 1000);
});
