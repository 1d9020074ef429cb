// Services and commands as first descriptors: what a machine says arrives as it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TranshipError } from "../../../src/base/errors.ts";
import { describeApplication } from "../../../src/capture/application.ts";
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
