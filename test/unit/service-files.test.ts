import assert from "node:assert/strict";
import { test } from "node:test";
import { maxCronJobs, parseAnacrontab, parseCrontab } from "../../src/formats/cron.ts";
import { parseAssignments } from "../../src/formats/os-release.ts";
import { parseInitScript, parseInittab, parseRcLink, parseXinetd } from "../../src/formats/sysv.ts";
import { parseTmpfiles } from "../../src/formats/tmpfiles.ts";
import { expandSpecifiers, templateOf, unescapeInstance } from "../../src/formats/unit-names.ts";
import {
  expandCommand,
  parseEnvironment,
  parseExec,
  parseUnit,
  UnitSettings,
} from "../../src/formats/units.ts";

test("assignments: quotes, escapes, comments, export, continued lines, the last one counts", () => {
  const text = `# c\nNAME="Debian GNU/Linux"\nA='x # y'\nB=1 # c\nexport C=\\"q\\"\nD=one\\\ntwo\nA2=\nbroken\nB=2\n`;
  assert.deepEqual(
    { ...parseAssignments(text) },
    { NAME: "Debian GNU/Linux", A: "x # y", B: "2", C: '"q"', D: "onetwo", A2: "" },
  );
});

test("units: repeated keys, clearing, comments inside continued lines, broken lines", () => {
  const unit = parseUnit(
    "x=1\n[Service]\nExecStart=/a \\\n# c\n  b\nExecStart=\nExecStart=/c\nnonsense\n[Install]\nWantedBy=x\n",
  );
  const settings = new UnitSettings([unit]);
  assert.deepEqual(settings.all("Service", "ExecStart"), ["/c"]);
  assert.equal(settings.last("Install", "WantedBy"), "x");
  assert.deepEqual(unit.problems, ["line 1: no setting", "line 8: no setting"]);
});

test("a drop-in comes after its unit and can clear its lists", () => {
  const settings = new UnitSettings([
    parseUnit("[Service]\nExecStart=/a\nUser=u\n"),
    parseUnit("[Service]\nExecStart=\nExecStart=/b\n"),
  ]);
  assert.deepEqual(settings.all("Service", "ExecStart"), ["/b"]);
  assert.equal(settings.last("Service", "User"), "u");
});

test("Exec lines: prefixes, quotes, escapes, several commands", () => {
  const [first, second] = parseExec(`-+/bin/sh -c "a 'b' \\x41" ; @/bin/x argv0 y`);
  assert.deepEqual(first?.argv, ["/bin/sh", "-c", "a 'b' A"]);
  assert.equal(first?.ignoreFailure, true);
  assert.equal(first?.privileged, true);
  assert.deepEqual([second?.argv, second?.argv0], [["/bin/x", "y"], "argv0"]);
  assert.deepEqual(parseExec("-"), []);
});

test("variables: a lone word splits or vanishes, braces stay one word, $$ is $, : is literal", () => {
  const expand = (line: string): string[] =>
    parseExec(line).flatMap((command) => expandCommand(command, { A: "1 2", B: "x y" }));
  assert.deepEqual(expand("/p $A $NONE ${B} a${B} $$A"), ["/p", "1", "2", "x y", "ax y", "$A"]);
  assert.deepEqual(expand(":/p $A ${B}"), ["/p", "$A", "${B}"]);
  assert.deepEqual({ ...parseEnvironment([`"A=1 2" B=3`, "B=4", "no"]) }, { A: "1 2", B: "4" });
});

test("unit names and specifiers", () => {
  assert.equal(templateOf("postgresql@13-main.service"), "postgresql@.service");
  assert.equal(templateOf("a.service"), undefined);
  assert.equal(unescapeInstance("a-b\\x2dc"), "a/b-c");
  assert.equal(
    expandSpecifiers("%n %N %p %i %I %t %% %Z", "x@13-main.service"),
    "x@13-main.service x@13-main x 13-main 13/main /run % %Z",
  );
});

test("tmpfiles.d lines", () => {
  const lines = parseTmpfiles(
    "# c\nd /run/apache2/ 0755 root root - -\nD! /run/x - www-data - 10d\nbad\nd relative\n",
  );
  assert.deepEqual(
    lines.map(({ type, path, mode, user }) => [type, path, mode, user]),
    [
      ["d", "/run/apache2", 0o755, "root"],
      ["D", "/run/x", undefined, "www-data"],
    ],
  );
});

test("crontab: system and user tables, nicknames, environment, broken lines", () => {
  const system = parseCrontab(
    'MAILTO="root"\n*/5 1-5 * jan mon-fri www /bin/a b  c\n@daily root /bin/x\n* * * root\n99x * * * * root y\n',
    true,
  );
  const environment = { MAILTO: "root" };
  assert.deepEqual(system.jobs, [
    { schedule: "*/5 1-5 * jan mon-fri", user: "www", command: "/bin/a b  c", environment, line: 2 },
    { schedule: "@daily", user: "root", command: "/bin/x", environment, line: 3 },
  ]);
  assert.equal(system.environment.MAILTO, "root");
  assert.equal(system.problems.length, 2);
  assert.equal(parseCrontab("0 3 * * 0 /bin/a\n", false).jobs[0]?.user, undefined);
});

test("a crontab of a million lines is cut and says so", () => {
  const table = parseCrontab("* * * * * root true\n".repeat(1_000_000), true);
  assert.equal(table.jobs.length, maxCronJobs);
  assert.match(table.problems[0] ?? "", /more than 10000 jobs/);
});

test("anacrontab", () => {
  assert.deepEqual(parseAnacrontab("SHELL=/bin/sh\n7\t10\tcron.weekly\trun-parts /etc/cron.weekly\n"), [
    { period: "7", delay: 10, name: "cron.weekly", command: "run-parts /etc/cron.weekly" },
  ]);
});

test("init script: LSB header, variables one level deep", () => {
  const script = parseInitScript(
    "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: redis-server\n# Required-Start: $syslog $remote_fs\n# Default-Start: 2 3\n# Short-Description: store\n### END INIT INFO\nNAME=redis-server\nDAEMON=/usr/bin/$NAME\nPIDFILE=/run/redis/${NAME}.pid\n",
  );
  assert.deepEqual(
    [script.daemon, script.pidFile, script.description],
    ["/usr/bin/redis-server", "/run/redis/redis-server.pid", "store"],
  );
  assert.deepEqual(script.requiredStart, ["$syslog", "$remote_fs"]);
});

test("init script: chkconfig and start-stop-daemon", () => {
  const script = parseInitScript(
    "#!/bin/sh\n# chkconfig: 345 85 15\n# description: web\nstart-stop-daemon --start --quiet --exec /usr/sbin/foo\n",
  );
  assert.deepEqual(
    [script.daemon, script.defaultStart, script.hasHeader],
    ["/usr/sbin/foo", ["3", "4", "5"], true],
  );
});

test("rc links, inittab, xinetd", () => {
  assert.deepEqual(parseRcLink("2", "S20apache2"), {
    runlevel: "2",
    start: true,
    order: 20,
    script: "apache2",
  });
  assert.equal(parseRcLink("2", "README"), undefined);
  assert.deepEqual(parseInittab("# c\nora:345:respawn:/opt/ora/run -x\nbad\n"), [
    { id: "ora", runlevels: "345", action: "respawn", process: "/opt/ora/run -x" },
  ]);
  assert.equal(
    parseXinetd("service tftp\n{\n server = /usr/sbin/in.tftpd\n disable = no\n}\n")[0]?.attributes.server,
    "/usr/sbin/in.tftpd",
  );
});

test("init scripts name their pid file in many ways", () => {
  const pidFile = (text: string) => parseInitScript(text).pidFile;
  assert.equal(pidFile("PIDFILE=/run/a.pid\nX=/run/b.pid\n"), "/run/a.pid");
  assert.equal(pidFile("# pidfile: /run/c.pid\n"), "/run/c.pid");
  assert.equal(pidFile("RUN=/var/run/d\nD_PIDFILE=$RUN/d.pid\n"), "/var/run/d/d.pid");
  assert.equal(pidFile("# not /run/e.pid\nstop) kill $(cat /run/f.pid);;\n"), "/run/f.pid");
  assert.equal(pidFile("stop) killall g;;\n"), undefined);
});
