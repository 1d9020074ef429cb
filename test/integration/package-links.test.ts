// Packages that link to others: their files below the own ones, their redirections after the own ones, with both engines.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Descriptor } from "../../src/package/descriptor.ts";
import {
  type CliResult,
  type Fixture,
  makeFixture,
  makePackage,
  removeInstances,
  whyNot,
} from "./runtime-fixture.ts";

const metadata = (id: string): Descriptor["metadata"] => ({ id, name: id, version: "1", publisher: "" });
const lead = (from: string, to: string): Descriptor["redirections"]["files"][number] => ({
  from,
  to,
  match: from.endsWith(".conf") ? "exact" : "folder",
  mode: "full",
});
const only = (...files: Descriptor["redirections"]["files"]): Descriptor["redirections"] => ({
  files,
  network: [],
  registry: [],
});

describe("packages that link to others", {
  skip: whyNot() ?? false,
  concurrency: false,
  timeout: 300_000,
}, () => {
  let fixture: Fixture;
  const cli = (...args: string[]): Promise<CliResult> => fixture.cli(args);
  const engines = process.arch === "x64" ? ["namespace", "inprocess"] : ["namespace"];

  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "driver:1", {
      files: {
        "opt/driver/lib/data": "driver 1\n",
        "opt/driver/etc/driver.conf": "driver's\n",
        "opt/driver/etc/shared.conf": "shared by the driver\n",
        "opt/both/file": "the driver's\n",
        "opt/driver/more/one": "of a third package?\n",
      },
      descriptor: {
        metadata: metadata("driver_1"),
        links: ["third_1"],
        redirections: only(
          lead("/etc/driver.conf", "/opt/driver/etc/driver.conf"),
          lead("/etc/shared.conf", "/opt/driver/etc/shared.conf"),
          lead("/usr/driver", "/opt/driver/lib"),
        ),
      },
    });
    await makePackage(fixture.root, "third:1", {
      files: { "opt/third/file": "third\n" },
      descriptor: { metadata: metadata("third_1") },
    });
    await makePackage(fixture.root, "app:1", {
      files: { "opt/both/file": "the application's\n", "opt/app/shared.conf": "shared by the application\n" },
      descriptor: {
        metadata: metadata("app_1"),
        links: ["driver_1", "app_1"],
        redirections: only(lead("/etc/shared.conf", "/opt/app/shared.conf")),
      },
    });
  });
  after(async () => {
    await removeInstances(fixture);
    await fixture.remove();
  });

  const script =
    "cat /etc/driver.conf /etc/shared.conf /usr/driver/data /opt/driver/lib/data /opt/both/file; ls /opt/third 2>/dev/null || echo none";
  const seen = "driver's\nshared by the application\ndriver 1\ndriver 1\nthe application's\nnone\n";

  it("why tells which package a rule and a file are of", async () => {
    const told = async (path: string): Promise<string> => {
      const { status, stdout, stderr } = await cli("why", "app:1", path);
      assert.equal(status, 0, stderr);
      return stdout;
    };
    const none = "\n  the package carries no evidence\n";
    const linked = `is in driver:1, which app:1 links to:${none}`;
    assert.equal(
      await told("/usr/driver/data"),
      `/usr/driver/data is redirected by redirections.files[2] of driver:1: /usr/driver, folder, full
  read:    the instance's own /opt/driver/lib/data, else /opt/driver/lib/data of the package
  written: the instance's own /opt/driver/lib/data
/opt/driver/lib/data ${linked}`,
    );
    assert.match(await told("/etc/driver.conf"), /files\[0\] of driver:1: /);
    assert.match(
      await told("/etc/shared.conf"),
      /by redirections\.files\[0\]: [\s\S]*\n\/opt\/app\/shared.conf is in app:1:/,
    );
    assert.equal(await told("/opt/driver/lib/data"), `/opt/driver/lib/data ${linked}`);
    const json = JSON.parse((await cli("why", "--format", "json", "app:1", "/etc/driver.conf")).stdout) as {
      package: string;
      redirected: { package: string; rule: number };
    };
    assert.deepEqual(
      [json.package, json.redirected.package, json.redirected.rule],
      ["driver:1", "driver:1", 0],
    );
    // Links of links are not seen, nor what nobody has.
    assert.match(
      (await cli("why", "app:1", "/opt/third/file")).stderr,
      /E_IMAGE_UNSUPPORTED.*app:1 carries no evidence/,
    );
  });

  for (const engine of engines)
    it(`see them and their redirections, their own first, and nothing that those link to (${engine})`, async () => {
      const flags = ["--engine", engine, "--name", `app-${engine}`];
      const { stdout, stderr } = await cli(
        "run",
        ...flags,
        "app:1",
        "/bin/sh",
        "-c",
        `${script}; echo mine >/opt/driver/lib/data`,
      );
      assert.equal(stdout, seen, stderr);
      const changed = await cli("diff", `app-${engine}`);
      assert.match(changed.stdout, /^C \/opt\/driver\/lib\/data$/m, changed.stderr);
      assert.doesNotMatch(changed.stdout, /^[AD] /m, "what the driver brought is no change");
      const other = await cli(
        "run",
        "--rm",
        "--engine",
        engine,
        "driver:1",
        "/bin/cat",
        "/opt/driver/lib/data",
      );
      assert.equal(other.stdout, "driver 1\n", "each instance has its own");
      const used = await cli("rmi", "driver:1");
      assert.match(
        used.stderr,
        new RegExp(`E_IMAGE_IN_USE.*driver:1 is used by the instances app-${engine}`),
      );
      assert.equal((await cli("rm", `app-${engine}`)).status, 0);
    });

  it("what was baked for other tools, linked to or not, is not below their engine here", async () => {
    await makePackage(fixture.root, "other:1", {
      files: { "opt/other/file": "other's\n" },
      descriptor: { metadata: metadata("other_1"), redirections: only(lead("/usr/other", "/opt/other")) },
    });
    await makePackage(fixture.root, "linking:1", {
      descriptor: { metadata: metadata("linking_1"), links: ["other_1"] },
    });
    const baked = await cli("package", "bake", "other:1");
    assert.equal(baked.status, 0, baked.stderr);
    const look =
      "test -x /.tranship/engine && cat /usr/other/file; grep -c /.tranship/engine /proc/self/maps";
    for (const engine of engines)
      for (const name of ["other:1", "linking:1"]) {
        const { stdout, stderr } = await cli("run", "--rm", "--engine", engine, name, "/bin/sh", "-c", look);
        assert.equal(stdout, "other's\n0\n", `${engine} ${name}: ${stderr}`);
      }
  });

  it("are there for lint as they are for programs", async () => {
    await makePackage(fixture.root, "led:1", {
      descriptor: {
        metadata: metadata("led_1"),
        links: ["driver_1"],
        programs: [{ name: "data", command: ["/bin/cat", "data"], workingDirectory: "/opt/driver/lib" }],
        volumes: [{ path: "/opt/driver/etc", initial: "copy", reason: "", size: "1KiB" }],
        redirections: only(lead("/etc/led", "/opt/driver/lib")),
      },
    });
    assert.equal((await cli("run", "--rm", "led:1", "@data")).stdout, "driver 1\n");
    const looked = await cli("package", "lint", "led:1");
    assert.equal(looked.stdout, "led:1: 0 errors, 0 warnings\n");
  });

  it("stay with each version of a deployment, whatever of them is in the store by then", async () => {
    const driver = (version: string) => ({
      files: { "opt/extra/data": `extra ${version}\n` },
      descriptor: { metadata: metadata("extra_1") },
    });
    const shop = (version: string): Partial<Descriptor> => ({
      metadata: { ...metadata("shop_1"), version },
      links: ["extra_1"],
      programs: [{ name: "main", command: ["/bin/sh", "-c", "exec sleep 1000"] }],
      services: [{ name: "main", program: "main" }],
    });
    await makePackage(fixture.root, "extra:1", driver("1"));
    for (const version of ["1", "2"])
      await makePackage(fixture.root, `shop:${version}`, { descriptor: shop(version) });
    const done = async (...args: string[]): Promise<string> => {
      const { status, stdout, stderr } = await cli(...args);
      assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
      return stdout;
    };
    const data = (): Promise<string> => done("exec", "shop_1", "cat", "/opt/extra/data");
    await done("package", "deploy", "--host-root", fixture.root.path, "shop:1");
    await makePackage(fixture.root, "extra:2", driver("2"));
    assert.match((await cli("package", "update", "shop:2")).stderr, /several packages have that id/);
    assert.equal(await data(), "extra 1\n");
    await done("package", "update", "--linked", "extra:2", "shop:2");
    assert.equal(await data(), "extra 2\n");
    await done("package", "update", "--linked", "extra:1", "shop:2");
    assert.equal(await data(), "extra 1\n", "the same package with another link is a change");
    await done("rmi", "--force", "extra:1");
    await done("rmi", "--force", "extra:2");
    await done("package", "rollback", "shop_1");
    assert.equal(await data(), "extra 2\n");
    await done("package", "remove", "shop_1");
  });

  it("goes on with what it was made with when the other package is another one, or gone", async () => {
    assert.equal((await cli("create", "--name", "kept", "app:1", "/bin/sh", "-c", script)).status, 0);
    assert.equal((await cli("rmi", "-f", "driver:1")).status, 0);
    const started = await cli("start", "-a", "kept");
    assert.equal(started.stdout, seen, started.stderr);
    assert.equal((await cli("rm", "kept")).status, 0);
    const looked = await cli("package", "lint", "app:1");
    assert.match(looked.stdout, /warning.*link-missing|link-missing/, looked.stderr);
    assert.match(looked.stdout, /no package of this store has the id "driver_1"/);
    assert.doesNotMatch(looked.stdout, /"app_1"/);
    const lost = await cli("run", "--rm", "app:1", "/bin/true");
    assert.equal(lost.status, 125);
    assert.match(
      lost.stderr,
      /E_IMAGE_NOT_FOUND.*app:1 links to the package driver_1, which is not in the store\n.*metadata\.id/,
    );
  });

  it("refuses to choose between several, and takes the one that is named", async () => {
    for (const version of ["2", "3"])
      await makePackage(fixture.root, `driver:${version}`, {
        files: { "opt/driver/lib/data": `driver ${version}\n` },
        descriptor: { metadata: metadata("driver_1") },
      });
    await cli("tag", "driver:3", "driver:also-3");
    const run = (...flags: string[]): Promise<CliResult> =>
      cli("run", "--rm", ...flags, "app:1", "/bin/cat", "/opt/driver/lib/data");
    const several = await run();
    assert.equal(several.status, 2);
    assert.match(
      several.stderr,
      /E_USAGE.*several packages have that id: .*driver:2.*, .*driver:.*3\n.*--linked REF/,
    );
    for (const engine of engines)
      assert.equal((await run("--engine", engine, "--linked", "driver:2")).stdout, "driver 2\n");
    assert.equal((await run("--linked", "driver:3")).stdout, "driver 3\n");
    const wrong = await run("--linked", "third:1");
    assert.match(
      wrong.stderr,
      /E_USAGE.*app:1 links to no package third_1 \(--linked third:1\)\n.*it links to driver_1/,
    );
    const none = await cli("run", "--rm", "--linked", "driver:2", "third:1", "/bin/true");
    assert.match(none.stderr, /E_USAGE.*links to no package driver_1.*\n.*its descriptor has no `links`/);
    assert.equal((await cli("rmi", "driver:2")).status, 0);
    assert.equal((await run()).stdout, "driver 3\n", "two names of one package are one");
  });
});
