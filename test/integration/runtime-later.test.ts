// What the end of a foreground instance leaves for later: the network for the next run, small files for a quiet moment.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type CliResult, type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("what is left for later", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
  });
  after(async () => {
    await fixture.remove();
  });

  const run = (linger: number, ...args: string[]): Promise<CliResult> =>
    fixture.cli(["run", "--rm", ...args], { env: { TRANSHIP_NETWORK_LINGER: String(linger) } });
  const inRoot = (name: string): string => join(fixture.root.path, name);
  const trash = (): string[] => (existsSync(inRoot("trash")) ? readdirSync(inRoot("trash")) : []);

  it("removed instances are gone at once, their few files when the next one runs", async () => {
    assert.equal((await run(2, "--network", "none", "box:1", "true")).status, 0);
    assert.deepEqual(readdirSync(fixture.root.instances), []);
    assert.deepEqual(readdirSync(inRoot("names")), []);
    const [first = "", ...more] = trash();
    assert.match(first, /^[0-9a-f]{64}$/);
    assert.deepEqual(more, []);
    assert.equal((await run(2, "--network", "none", "box:1", "false")).status, 1);
    assert.equal(trash().length, 1);
    assert.ok(!trash().includes(first));
  });

  it("what was written is removed at once", async () => {
    for (const command of ["echo x > /etc/mine", "echo x > /srv/x", "seq 1 30000"]) {
      assert.equal((await run(2, "--network", "none", "box:1", "sh", "-c", command)).status, 0);
      assert.deepEqual(trash(), [], command);
    }
  });

  it("with TRANSHIP_NETWORK_LINGER=0 nothing is left", async () => {
    assert.equal((await run(2, "--network", "none", "box:1", "true")).status, 0);
    assert.equal((await run(0, "--network", "none", "box:1", "true")).status, 0);
    assert.deepEqual(trash(), []);
    await fixture.clean();
  });

  it("one process waits for the next bridged instance, and takes the network down when none comes", async () => {
    assert.equal((await run(3, "box:1", "true")).status, 0);
    const waiter = readFileSync(inRoot("network/waiter"), "latin1");
    for (const network of ["none", "bridge"])
      assert.equal((await run(3, "--network", network, "box:1", "true")).status, 0);
    assert.ok(existsSync(inRoot("network/bridge.json")));
    assert.equal(readFileSync(inRoot("network/waiter"), "latin1"), waiter);
    await until(() => !existsSync(inRoot("network/bridge.json")));
    await fixture.clean();
  });
});
