// Hard cases of services: the capture ends when the service is stopped, not when its first process ends.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { tracerModes } from "../../src/capture/tracer.ts";
import { type Fixture, makeFixture, until } from "../integration/runtime-fixture.ts";
import { soaking } from "../support/counts.ts";
import { HardMachine, whyNoHardCases } from "../support/hard-case.ts";

const unit = `[Unit]
Description=a daemon of the old kind
[Service]
Type=forking
PIDFile=/run/hard-daemon.pid
ExecStart=/usr/sbin/hard-daemon
[Install]
WantedBy=multi-user.target
`;

describe("hard cases of services", { skip: whyNoHardCases(), timeout: 300_000 }, () => {
  let fixture: Fixture;
  let base: string;
  let machine: HardMachine;

  before(async () => {
    base = mkdtempSync(join(tmpdir(), "tranship-hard-"));
    machine = new HardMachine(join(base, "machine"));
    machine.compile("daemon", "usr/sbin/hard-daemon");
    machine.text({
      "etc/systemd/system/hard-daemon.service": unit,
      "etc/hard/early.conf": "early\n",
      "etc/hard/late.conf": "late\n",
    });
    fixture = await makeFixture();
  });
  after(async () => {
    await fixture?.remove();
    rmSync(base, { recursive: true, force: true });
  });

  for (const mode of soaking ? tracerModes : tracerModes.slice(0, 1)) {
    it(`a daemon that forked twice reads a file when its first process has long ended (${mode})`, async () => {
      const from = ["-m", `rootfs:${machine.root}`, "-t", mode, "--tracer", mode, "--no-closure"];
      const captured = await fixture.cli([
        ...["capture", "run", ...from, "--service", "hard-daemon", "--for", "1s"],
      ]);
      assert.equal(captured.status, 0, captured.stderr);
      const why = await fixture.cli(["why", mode, "/etc/hard/late.conf"]);
      assert.match(why.stdout, /traced: read by \/usr\/sbin\/hard-daemon/);
      const verified = await fixture.cli(["verify", mode]);
      assert.match(verified.stdout, /: 0 errors/);
      const name = `daemon-${mode}`;
      const started = await fixture.cli(["run", "-d", "--name", name, mode]);
      assert.equal(started.status, 0, started.stderr);
      await until(async () => (await fixture.cli(["logs", name])).stdout.includes("ok /etc/hard/late.conf"));
      const logs = await fixture.cli(["logs", name]);
      assert.match(logs.stdout, /ok \/etc\/hard\/early.conf/);
      assert.doesNotMatch(logs.stdout, /not ok/);
      const stopped = await fixture.cli(["rm", "-f", name]);
      assert.equal(stopped.status, 0, stopped.stderr);
      await fixture.clean();
    });
  }
});
