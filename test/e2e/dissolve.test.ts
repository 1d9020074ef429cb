// A notice board (lighttpd, Perl, SQLite on Debian 11) is lifted, and dissolved again: as files into a plain Debian 11, and as a .deb into one
// that has its distribution's packages. There it has to answer all that its behaviour script asks as the original does.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
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
import { after, before, describe, test } from "node:test";
import { captureRun } from "../../src/capture/capture-run.ts";
import { packPlan } from "../../src/capture/carry-out.ts";
import { installRoot } from "../../src/host/native.ts";
import { openStateRoot } from "../../src/host/state-root.ts";
import { openMachine } from "../../src/machine/open.ts";
import { whyNot } from "../integration/runtime-fixture.ts";
import { buildApplication, whyNoApplications } from "../support/applications.ts";
import { soaking } from "../support/counts.ts";
import { quietContext } from "../support/lamp.ts";
import { debian11 } from "../support/roots.ts";

const apps = join(installRoot, "test/apps");
const skip = whyNot() ?? whyNoApplications() ?? false;

describe("dissolve", { skip, timeout: 3_600_000 }, () => {
  let top: string;
  let original: string;
  let expected: Map<string, string>;

  before(async () => {
    top = mkdtempSync(join(tmpdir(), "tranship-dissolve-"));
    const address = buildApplication("perl-cgi");
    original = address.replace("rootfs:", "");
    const root = openStateRoot(join(top, "state"));
    const tools = { ...quietContext(root), tool: "test" };
    const machine = await openMachine(address);
    const application = { name: "perl-cgi", services: ["lighttpd"], command: [], environment: {}, ports: [] };
    const choices = {
      closure: true,
      volumes: [],
      include: ["/usr/bin/curl"],
      filters: [],
      keepSecrets: [],
      alsoInstalled: [],
    };
    const session = {
      ports: [80],
      exercise: join(apps, "perl-cgi/exercise"),
      linger: 500,
      for: undefined,
      timeout: 120_000,
    };
    try {
      const captured = await captureRun(
        {
          machine,
          application,
          choices,
          session,
          witness: true,
          network: "own",
          tracer: "auto",
          data: "copy",
        },
        tools,
      );
      await packPlan(machine, "board:1", captured, tools);
    } finally {
      await machine.close();
    }
    const script = ["checks.sh", "perl-cgi/behaviour"]
      .map((file) => readFileSync(join(apps, file), "utf8"))
      .join("\n");
    writeFileSync(join(top, "behaviour"), script);
    chmodSync(join(top, "behaviour"), 0o755);
    expected = inside(original, `${serve}\n${ask}`).results;
    assert.ok(expected.size >= 15, `${expected.size} checks`);
  });

  after(() => rmSync(top, { recursive: true, force: true }));

  /** Starts the service as its unit does, natively, and asks it; the script and its tools are of the original. */
  const serve = `
    mount -t tmpfs none $R/run; mount --bind /proc $R/proc; mount --bind /dev $R/dev
    mkdir -p $R/run/lighttpd; chown 33:33 $R/run/lighttpd
    chroot $R /usr/sbin/lighttpd -D -f /etc/lighttpd/lighttpd.conf >$T/server.log 2>&1 & server=$!
    for i in $(seq 200); do chroot $R sh -c 'exec 3<>/dev/tcp/127.0.0.1/80' 2>/dev/null || bash -c 'exec 3<>/dev/tcp/127.0.0.1/80' 2>/dev/null && break; sleep 0.05; done`;
  const ask = `
    mount -t overlay none -o lowerdir=$O,upperdir=$T/asker/up,workdir=$T/asker/work $T/asker/root
    mount --bind /proc $T/asker/root/proc; mount --bind /dev $T/asker/root/dev
    mkdir -p $T/asker/root/results; cp $T/behaviour $T/asker/root/behaviour
    TRANSHIP_RESULTS=/results chroot $T/asker/root bash /behaviour
    cp -a $T/asker/root/results $T/results
    kill $server; wait $server || true
    umount $R/run $R/proc $R/dev`;

  /** Runs shell lines in mounts and a network of their own, with an overlay over `lower` as $R. */
  function inside(
    lower: string,
    lines: string,
  ): { results: Map<string, string>; out: string; upper: string } {
    const work = mkdtempSync(join(top, "scene-"));
    for (const name of ["up", "work", "root", "asker/up", "asker/work", "asker/root"])
      mkdirSync(join(work, name), { recursive: true });
    rmSync(join(top, "results"), { recursive: true, force: true });
    const script = `set -e
      T=${work} R=${work}/root O=${original} TRANSHIP_ROOT=${top}/state; export TRANSHIP_ROOT
      tranship() { ${process.execPath} ${join(installRoot, "src/cli/main.ts")} "$@"; }
      cp ${top}/behaviour $T/behaviour
      mount -t overlay none -o lowerdir=${lower},upperdir=$T/up,workdir=$T/work $R
      ip link set lo up
      ${lines}`;
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
    const done = spawnSync("unshare", ["-m", "-n", "bash", "-c", script], {
      encoding: "utf8",
      env,
      timeout: soaking ? 3_000_000 : 300_000,
    });
    assert.equal(done.status, 0, `${done.stdout}\n${done.stderr}`);
    const results = new Map<string, string>();
    const directory = join(work, "results");
    if (existsSync(directory))
      for (const name of readdirSync(directory))
        results.set(name, readFileSync(join(directory, name), "utf8"));
    return { results, out: done.stdout, upper: join(work, "up") };
  }

  const list = (name: string): string =>
    `(cd $R && find . -xdev ! -path './tmp/*' ! -path './var/log/*' | sort) >$T/${name}`;

  test("as files into a plain Debian 11, and out of it again", () => {
    const { results, out } = inside(
      debian11,
      `
      # What debootstrap leaves to who makes a machine of its tree.
      echo '127.0.0.1 localhost' >$R/etc/hosts
      ${list("before")}
      ! TRANSHIP_CRASH_AT=40 tranship package dissolve --into $R board:1 2>/dev/null
      tranship package dissolve --into $R board:1
      ! tranship package dissolve --into $R board:1 2>/dev/null
      readlink $R/etc/systemd/system/multi-user.target.wants/lighttpd.service
      ${serve}${ask}
      echo changed >>$R/srv/board/docs/rules.txt
      tranship package dissolve --undo --into $R perl-cgi
      ${list("after")}
      diff $T/before $T/after || true
      cmp $R/etc/passwd ${debian11}/etc/passwd`,
    );
    assert.deepEqual(results, expected);
    assert.match(out, /lib\/systemd\/system\/lighttpd\.service/);
    // What was changed stays, with its directories; the data base was written to.
    const left = out.split("\n").filter((line) => /^[<>]/.test(line));
    assert.deepEqual(
      left.filter((line) => !/^> \.\/(srv|var\/lib\/board)/.test(line)),
      [],
    );
    assert.ok(
      left.includes("> ./srv/board/docs/rules.txt") && left.includes("> ./var/lib/board/board.db"),
      left.join("\n"),
    );
  });

  test("as a .deb onto the distribution's packages, installed twice, and removed", () => {
    const { results, out } = inside(
      original,
      `
      rm -rf $R/srv/board $R/var/lib/board $R/etc/lighttpd/conf-enabled/*board* $R/etc/lighttpd/conf-available/*board*
      sed -i 's/^server.port.*/server.port = 8081/' $R/etc/lighttpd/lighttpd.conf
      ${list("before")}
      tranship package dissolve --deb $T/board.deb board:1
      cp $T/board.deb $R/tmp/board.deb
      chroot $R dpkg -i /tmp/board.deb
      chroot $R dpkg -i /tmp/board.deb
      ${serve}${ask}
      chroot $R dpkg -r perl-cgi
      grep '^server.port' $R/etc/lighttpd/lighttpd.conf
      ${list("after")}
      diff $T/before $T/after || true`,
    );
    assert.deepEqual(results, expected);
    assert.match(out, /server\.port = 8081\n/, "what it replaced came back");
    const left = out
      .split("\n")
      .filter((line) => line.startsWith("> ") && !/dpkg\/info|var\/lib\/board/.test(line));
    assert.deepEqual(
      left,
      ["> ./etc/tmpfiles.d"].filter((line) => left.includes(line)),
    );
  });

  // Without a soak one step is tried, above.
  const steps = soaking ? test : () => {};
  steps("kill -9 at steps of a dissolve: the next one undoes it and begins anew; an undo goes on", () => {
    const { out } = inside(
      debian11,
      `
      ${list("before")}
      TRANSHIP_STEPS_FILE=$T/steps tranship package dissolve --into $R board:1 >/dev/null
      TRANSHIP_STEPS_FILE=$T/undo-steps tranship package dissolve --undo --into $R perl-cgi >/dev/null
      count=$(wc -l <$T/steps); undo=$(wc -l <$T/undo-steps)
      for at in $(seq 1 7 $count); do
        ! TRANSHIP_CRASH_AT=$at tranship package dissolve --into $R board:1 >/dev/null 2>&1
        tranship package dissolve --into $R board:1 >/dev/null 2>&1
        ! TRANSHIP_CRASH_AT=$((undo / 2)) tranship package dissolve --undo --into $R perl-cgi >/dev/null 2>&1
        tranship package dissolve --undo --into $R perl-cgi >/dev/null 2>&1
        ${list("after")}
        diff $T/before $T/after && echo same
      done`,
    );
    assert.match(out, /^(same\n)+$/);
  });

  test("another distribution is refused, and nothing is written", () => {
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
    const other = join(top, "other");
    mkdirSync(join(other, "etc"), { recursive: true });
    writeFileSync(join(other, "etc/os-release"), 'ID=debian\nVERSION_ID="12"\n');
    const done = spawnSync(
      process.execPath,
      [join(installRoot, "src/cli/main.ts"), "package", "dissolve", "--into", other, "board:1"],
      {
        encoding: "utf8",
        env: { ...env, TRANSHIP_ROOT: join(top, "state") },
      },
    );
    assert.match(done.stderr, /E_USAGE.*is debian 12, the package is of debian 11/);
    assert.equal(
      execFileSync("find", [other, "-type", "f"], { encoding: "utf8" }).trim(),
      join(other, "etc/os-release"),
    );
  });
});
