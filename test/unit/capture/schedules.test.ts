// Schedules of a made-up machine as programs and schedules of a package.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeApplication } from "../../../src/capture/application.ts";
import { applicationSchedules } from "../../../src/capture/schedules.ts";
import { loadInstalled } from "../../../src/closure/installed.ts";
import { cronCommand, parseCrontab } from "../../../src/formats/cron.ts";
import { memoryMachine } from "../../support/memory-machine.ts";

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
    ["cron-shop 0 1 * * *", "cron-shop-2 0 3 * * *", "cron-shop-3 @reboot", "cron-shop-4 @daily"],
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
  assert.match(notes[0] ?? "", /late\.timer, which starts late,.*OnCalendar=\*-\*-\* 04:00/);
});

test("what an installer made is the application's, whoever owns it", async () => {
  const { schedules } = await schedulesOf(new Set(["/etc/cron.d/other"]));
  assert.ok(schedules.some((one) => one.cron === "0 4 * * *"));
});

test("crontab: percent signs, and variables in number", () => {
  assert.deepEqual(cronCommand("date +\\%F"), { command: "date +%F", input: undefined });
  assert.deepEqual(cronCommand("cat%a\\%b%c"), { command: "cat", input: "a%b\nc\n" });
  const many = Array.from({ length: 3000 }, (_, at) => `V${at}=x`).join("\n");
  assert.equal(Object.keys(parseCrontab(`${many}\n`, true).environment).length, 1000);
});
