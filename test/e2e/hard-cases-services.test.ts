// Hard cases of services: the capture ends when the service is stopped, not when its first process ends.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { tracerModes } from "../../src/capture/sandbox/tracer.ts";
import { type Fixture, makeFixture, until } from "../integration/runtime-fixture.ts";
import { soaking } from "../support/counts.ts";
import { storeDoctored } from "../support/doctored.ts";
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

const activated = `[Unit]
Description=a program that is given its socket
[Service]
User=keeper
ExecStart=/usr/bin/inherited activated
`;
const activation = `[Socket]
ListenStream=127.0.0.1:8098
FileDescriptorName=pages
[Install]
WantedBy=sockets.target
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
      "etc/systemd/system/inherited.service": activated,
      "etc/systemd/system/inherited.socket": activation,
      "srv/inherited/page": "the page\n",
    });
    machine.compile("inherited", "usr/bin/inherited");
    machine.shell(`mkdir -p etc/systemd/system/sockets.target.wants
      ln -s ../inherited.socket etc/systemd/system/sockets.target.wants; echo keeper:x:1234:1234::/:/bin/sh >>etc/passwd`);
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

    it(`a program whose socket systemd opens gets it from init (${mode})`, async () => {
      const reference = `activated-${mode}`;
      const asks = join(base, "asks");
      writeFileSync(asks, '#!/bin/sh\n[ "$(nc 127.0.0.1 8098)" = "the page" ]\n', { mode: 0o755 });
      const from = ["-m", `rootfs:${machine.root}`, "-t", reference, "--tracer", mode, "--no-closure"];
      const captured = await fixture.cli([
        ...["capture", "run", ...from, "--service", "inherited", "--until-port", "8098", "--exercise", asks],
      ]);
      assert.equal(captured.status, 0, captured.stderr);
      const shown = await fixture.cli(["package", "show", reference]);
      assert.match(shown.stdout, /sockets:\n\s+- listen: 127\.0\.0\.1:8098\n\s+name: pages\n/);
      const verified = await fixture.cli(["verify", reference]);
      assert.match(verified.stdout, /: 0 errors/);
      assert.equal(await pageOf(reference), "the page\n");
      await storeDoctored(fixture.root, {
        base: reference,
        reference: "doctored",
        content: { tag: "", what: "", path: "/srv/inherited/page", bytes: () => Buffer.from("") },
      });
      const noticed = await fixture.cli(["verify", "doctored"]);
      assert.match(noticed.stdout, /error: \/srv\/inherited\/page had 9 bytes and has 0/);
      assert.notEqual(await pageOf("doctored"), "the page\n");
      await fixture.clean();
    });
  }

  /** What the instance says to who connects; it ends with that. */
  async function pageOf(reference: string): Promise<string> {
    const started = await fixture.cli(["run", "-d", "--name", "one", "--network", "host", reference]);
    assert.equal(started.status, 0, started.stderr);
    const said = await fixture.inside(["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8098 && cat <&3"]);
    const removed = await fixture.cli(["rm", "-f", "one"]);
    assert.equal(removed.status, 0, removed.stderr);
    return said.stdout;
  }
});
