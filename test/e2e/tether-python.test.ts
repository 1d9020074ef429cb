// A language that looks for its modules while it runs: a package of a bare interpreter fetches them from the old machine, and is whole after.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Fixture, makeFixture } from "../integration/runtime-fixture.ts";
import { buildApplication, whyNoApplications } from "../support/applications.ts";

describe("a tethered Python", { skip: whyNoApplications() ?? false, timeout: 1_200_000 }, () => {
  let fixture: Fixture;
  let machine: string;
  before(async () => {
    machine = buildApplication("python-wsgi");
    fixture = await makeFixture();
  });
  after(async () => {
    await fixture?.cli(["rm", "-f", "-v", "notes"]);
    await fixture?.clean();
    await fixture?.remove();
  });
  const ok = async (args: readonly string[]) => {
    const done = await fixture.cli(args);
    assert.equal(done.status, 0, `${args.join(" ")}: ${done.stderr}`);
    return done;
  };

  it("has what it imports, keeps secrets out, and needs no source when it was frozen", async () => {
    const bare = ["--", "/usr/bin/python3", "-c", "print(1)"];
    await ok(["capture", "run", "-m", machine, "-t", "notes", "--no-closure", ...bare]);
    const script = [
      "import json, decimal, flask",
      "print(json.dumps(str(decimal.Decimal(1) / 3)), flask.Flask('x').name)",
      "try: open('/etc/shadow')",
      "except OSError as e: print(e.strerror)",
    ].join("\n");
    const use = ["notes", "/usr/bin/python3", "-c", script];
    assert.notEqual((await fixture.cli(["run", "--rm", "--network", "none", ...use])).status, 0);
    const says = `"0.3333333333333333333333333333" x\nNo such file or directory\n`;
    const first = await ok(["run", "--tether", machine, "--network", "none", "--name", "notes", ...use]);
    assert.equal(first.stdout, says);
    assert.match(first.stderr, /tether: refused \/etc\/shadow: secret/);
    await ok(["package", "freeze", "notes", "-t", "notes:whole"]);
    await ok(["rm", "-f", "-v", "notes"]);
    const whole = ["notes:whole", ...use.slice(1)];
    assert.equal((await ok(["run", "--rm", "--network", "none", ...whole])).stdout, says);
    // The closure of what was fetched: a module that nobody imported yet.
    const other =
      "import sqlite3, urllib.request; print(sqlite3.connect(':memory:').execute('select 7').fetchone()[0])";
    const more = ["notes:whole", "/usr/bin/python3", "-c", other];
    assert.equal((await ok(["run", "--rm", "--network", "none", ...more])).stdout, "7\n");
    assert.match((await ok(["verify", "notes:whole"])).stdout, /: 0 errors/);
    const bill = JSON.parse((await ok(["sbom", "notes:whole"])).stdout) as { packages: { name: string }[] };
    assert.ok(bill.packages.some((one) => one.name === "python3-flask"));
  });
});
