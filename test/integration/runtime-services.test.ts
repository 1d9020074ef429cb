// Services of an old machine, whoever kept them there, as services of an instance: captured, started in order, as their users, with their environment, and again when they end.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { addText, makeSmallRoot } from "../support/small-root.ts";
import { type Fixture, makeFixture, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

const machine = {
  "etc/default/first": "GREETING='from a file'\n",
  "etc/systemd/system/first.service":
    "[Service]\nEnvironmentFile=/etc/default/first\nUser=web\nWorkingDirectory=/srv/www\nUMask=0027\nExecStart=/opt/first\nRestart=always\nRestartSec=100ms\nLimitNOFILE=1000\n[Install]\nWantedBy=multi-user.target\n",
  "opt/first":
    '#!/bin/sh\necho "first $(stat -c %u /proc/self/) $PWD $GREETING $(umask)"\nexec httpd -f -p 8081 -h /srv/www\n',
  "etc/init/second.conf":
    'start on runlevel [2345]\nrespawn\nsetuid web\nenv WORD=upstart\npre-start exec /opt/prepare\nscript\n  echo "second $(stat -c %u /proc/self/) $WORD $(cat /tmp/prepared)"\n  exec sleep 1000\nend script\n',
  "opt/prepare": "#!/bin/sh\necho prepared >/tmp/prepared\n",
  "etc/inittab": "th:2345:respawn:/opt/third >>/tmp/third.log 2>&1\n",
  "opt/third": "#!/bin/sh\necho third $RUNLEVEL\nsleep 0.3\n",
  "etc/supervisor/conf.d/fourth.conf":
    '[program:fourth]\ncommand=/opt/fourth --name %(program_name)s ; as its users know it\ndirectory=/tmp\nenvironment=WORD="supervised, too"\nautorestart=true\nstopsignal=INT\n',
  "opt/fourth":
    "#!/bin/sh\ntrap 'echo fourth interrupted; exit 0' INT\necho \"$2 $PWD $WORD\"\nwhile :; do sleep 0.1; done\n",
  "etc/init.d/fifth":
    "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: fifth\n# Default-Start: 2 3 4 5\n### END INIT INFO\nPIDFILE=/run/fifth.pid\ncase $1 in\nstart) echo fifth starts; sleep 1000 >/dev/null 2>&1 & echo $! >$PIDFILE;;\nstop) echo fifth stops; kill $(cat $PIDFILE);;\nesac\n",
};
const names = ["first", "second", "th", "fourth", "fifth"];

describe("services of an old machine", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let source: string;
  before(async () => {
    fixture = await makeFixture();
    source = mkdtempSync(join(tmpdir(), "tranship-services-"));
    chmodSync(source, 0o755);
    makeSmallRoot(source);
    addText(source, machine);
    for (const path of Object.keys(machine).filter((name) => /^opt|init\.d/.test(name)))
      chmodSync(join(source, path), 0o755);
    mkdirSync(join(source, "etc/rc2.d"), { recursive: true });
    chmodSync(join(source, "tmp"), 0o1777);
  });
  after(async () => {
    await fixture.cli(["rm", "-f", "it"]);
    await fixture.clean();
    await fixture.remove();
    rmSync(source, { recursive: true, force: true });
  });

  it("of systemd, upstart, inittab, supervisor and System V run on, as their managers would have it", async () => {
    const words = names.flatMap((name) => ["--service", name]);
    const captured = await fixture.cli(
      ["capture", "run", "-m", `rootfs:${source}`, "-t", "old", "--no-closure", "--no-witness", "--until-port", "8081", "--linger", "500ms", ...words],
    ); // biome-ignore format: short
    assert.equal(captured.status, 0, captured.stderr);
    const started = await fixture.cli(["run", "-d", "--name", "it", "--network", "none", "old"]);
    assert.equal(started.status, 0, started.stderr);
    const log = join(fixture.root.instances, started.stdout.trim(), "run/log/all.log");
    const said = (): { service: string; text: string }[] =>
      (existsSync(log) ? readFileSync(log, "utf8") : "")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Record<string, string>)
        .map((one) => ({ service: one.service ?? "", text: (one.log ?? one.message ?? "").trim() }));
    const inside = async (script: string): Promise<string> =>
      (await fixture.cli(["exec", "it", "sh", "-c", script])).stdout;
    await until(() =>
      ["first", "second", "fourth", "fifth"].every((name) =>
        said().some(({ text }) => text.startsWith(name)),
      ),
    );
    // Each in its log, with user, directory, variables and what was made ready before it.
    assert.deepEqual(
      said()
        .filter(({ text }) => /^(first|second|fourth|fifth) /.test(text))
        .sort((a, b) => names.indexOf(a.service) - names.indexOf(b.service)),
      [
        { service: "first", text: "first 33 /srv/www from a file 0027" },
        { service: "second", text: "second 33 upstart prepared" },
        { service: "fourth", text: "fourth /tmp supervised, too" },
        { service: "fifth", text: "fifth starts" },
      ],
    );
    const [limits] = (await inside("grep 'open files' /proc/$(cat /run/fifth.pid)/limits")).split("\n");
    assert.match(limits ?? "", /^Max open files +1000 +1000 /);
    // respawn: by its manager's word, without end.
    await until(async () => (await inside("cat /tmp/third.log")).split("third 2\n").length > 2);
    await inside("kill -9 $(grep -l '^httpd' /proc/[0-9]*/comm | cut -d/ -f3)");
    await until(() => said().filter(({ text }) => text.startsWith("first 33")).length === 2);
    // Stopped in reverse, each by its own word.
    assert.equal((await fixture.cli(["stop", "-t", "20", "it"])).status, 0);
    const last = said().map(({ text }) => text);
    assert.ok(last.includes("fifth stops"), last.join("\n"));
    assert.ok(last.indexOf("fifth stops") < last.indexOf("fourth interrupted"), last.join("\n"));
  });
});
