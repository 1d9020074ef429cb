// Services and commands as first descriptors: what a machine says arrives as it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TranshipError } from "../../../src/base/errors.ts";
import { describeApplication } from "../../../src/capture/application/application.ts";
import { howItEnded } from "../../../src/capture/sandbox/how-it-ended.ts";
import { memoryMachine } from "../../support/memory-machine.ts";

const none = { name: "shop", services: [], command: [], environment: {}, ports: [] };

function machineWith(unit: string) {
  return memoryMachine({
    "/etc/os-release": "ID=debian\nVERSION_ID=11\n",
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "/etc/systemd/system/shop.service": unit,
    "/bin/sh": { text: "#!", mode: 0o755 },
  });
}

test("backslashes and letters beyond ASCII of a unit arrive at the program as they stand there", async () => {
  const unit = `[Service]\nExecStart=/bin/sh -c "printf 'a\\\\\\\\nb\u00e9'"\nEnvironment="PATTERN=^a\\\\.b$"\n`;
  const machine = machineWith(Buffer.from(unit).toString("latin1"));
  const { programs } = await describeApplication(machine, { ...none, services: ["shop"] });
  assert.deepEqual(programs[0]?.command, ["/bin/sh", "-c", "printf 'a\\\\nb\u00e9'"]);
  assert.equal(programs[0]?.environment?.PATTERN, "^a\\.b$");
});

test("a command that is not UTF-8 cannot be written down, and says so", async () => {
  const machine = machineWith("[Service]\nExecStart=/bin/sh -c caf\xe9\n");
  await assert.rejects(
    describeApplication(machine, { ...none, services: ["shop"] }),
    (error: TranshipError) => error.code === "E_DESCRIPTOR_INVALID" && error.message.includes("caf\\xe9"),
  );
});

test("a command keeps its user, its directory and its words", async () => {
  const command = ["/bin/sh", "-c", "echo a\\x41"];
  const options = { ...none, command, user: "www-data", workingDirectory: "/srv" };
  const { programs } = await describeApplication(machineWith(""), options);
  assert.deepEqual(programs, [{ name: "main", command, workingDirectory: "/srv", user: "www-data" }]);
});

test("what of a unit is not carried over is told with its service", async () => {
  const unit =
    "[Service]\nExecStart=/bin/sh\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nStandardOutput=append:/var/log/shop.log\n";
  const notes: string[] = [];
  await describeApplication(machineWith(unit), { ...none, services: ["shop"] }, (note) => notes.push(note));
  assert.deepEqual(notes, [
    "service shop: AmbientCapabilities=CAP_NET_BIND_SERVICE is not carried over",
    "service shop: StandardOutput=append:/var/log/shop.log is not carried over",
  ]);
});

test("a service is told its directories as systemd tells them", async () => {
  const unit = "[Service]\nExecStart=/bin/sh\nStateDirectory=shop shop/spool\nRuntimeDirectory=shop\n";
  const { programs } = await describeApplication(machineWith(unit), { ...none, services: ["shop"] });
  assert.equal(programs[0]?.environment?.STATE_DIRECTORY, "/var/lib/shop:/var/lib/shop/spool");
  assert.equal(programs[0]?.environment?.RUNTIME_DIRECTORY, "/run/shop");
});

test("a state directory that is not there yet is made for its service and outlives its instances; one that is there is data", async () => {
  const unit = "[Service]\nExecStart=/bin/sh\nStateDirectory=shop old\n";
  const machine = memoryMachine({
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "/etc/systemd/system/shop.service": unit,
    "/bin/sh": { text: "#!", mode: 0o755 },
    "/var/lib/old/file": "x",
  });
  const { volumes, directories } = await describeApplication(machine, { ...none, services: ["shop"] });
  assert.deepEqual(volumes, [{ path: "/var/lib/shop", initial: "none", reason: "state directory of shop" }]);
  assert.deepEqual(directories.map((one) => one.path), ["/var/lib/shop", "/var/lib/old"]); // biome-ignore format: short
});

test("a status above every signal is the program's own", () => {
  assert.equal(howItEnded(137), "was killed by signal 9");
  assert.equal(howItEnded(255), "ended with status 255");
});
