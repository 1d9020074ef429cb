import assert from "node:assert/strict";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { dataStates } from "../../../src/capture/data/data-state.ts";
import { newDescriptor } from "../../../src/package/descriptor.ts";
import { memoryMachine } from "../../support/memory-machine.ts";

test("data that a program has open for writing is live; read or closed it is still", (t) => {
  const root = mkdtempSync(join(tmpdir(), "tranship-data-"));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "var/lib/shop"), { recursive: true });
  const file = join(root, "var/lib/shop/table");
  writeFileSync(file, "x");
  const machine = { ...memoryMachine({}), root };
  const descriptor = {
    ...newDescriptor(
      { id: "shop", name: "shop", version: "1", publisher: "" },
      { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" },
    ),
    volumes: [
      { path: "/var/lib/shop", initial: "copy" as const },
      { path: "/var/lib/none", initial: "none" as const },
    ],
  };
  const state = () => dataStates(machine, descriptor).map((one) => `${one.path} ${one.state}`);
  const reading = openSync(file, "r");
  assert.deepEqual(state(), ["/var/lib/shop still"]);
  const writing = openSync(file, "a");
  assert.deepEqual(state(), ["/var/lib/shop live"]);
  assert.match(
    dataStates(machine, descriptor)[0]?.why ?? "",
    new RegExp(`\\(pid ${process.pid}\\) writes there`),
  );
  const seen = { ...memoryMachine({}), root: `/proc/${process.pid}/root` };
  const inside = { ...descriptor, volumes: [{ path: join(root, "var/lib/shop"), initial: "copy" as const }] };
  assert.equal(dataStates(seen, inside)[0]?.state, "live", "seen by a program's own root");
  closeSync(writing);
  closeSync(reading);
  assert.deepEqual(state(), ["/var/lib/shop still"]);
});
