// A package's life on this machine: deploy, update, rollback, remove.
import assert from "node:assert/strict";
import {
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
import type { Descriptor } from "../../src/package/descriptor.ts";
import { soaking } from "../support/counts.ts";
import { type CliResult, type Fixture, makeFixture, makePackage, whyNot } from "./runtime-fixture.ts";

const sh = (name: string, script: string) => ({ name, command: ["/bin/sh", "-c", script] });

/** A service that answers with its version, data in a volume, and hooks that write what ran when. */
function shop(version: string, more: Partial<Descriptor> = {}): Partial<Descriptor> {
  return {
    metadata: { id: "shop_1", name: "shop", version, publisher: "" },
    programs: [
      sh("server", `echo started-${version} >> /srv/data/order; touch /run/ready; exec sleep 1000`),
      sh("tool", "echo tool"),
    ],
    services: [{ name: "web", program: "server", readiness: { file: "/run/ready", timeout: "20s" } }],
    volumes: [{ path: "/srv/data", initial: "copy" }],
    hooks: {
      preInstall: [
        {
          command: ["/bin/sh", "-c", "echo pre > /root/made; echo pre >> /srv/data/order"],
          where: "package",
        },
      ],
      postInstall: [
        { command: ["/bin/sh", "-c", "cat /root/made && echo post >> /srv/data/order"], where: "package" },
      ],
      uninstall: [{ command: ["/bin/sh", "-c", "echo uninstall >> /srv/data/order"], where: "package" }],
    },
    ...more,
  };
}

describe("deployments", { skip: whyNot() ?? false }, () => {
  let fixture: Fixture;
  let host: string;

  before(async () => {
    fixture = await makeFixture();
    host = mkdtempSync(join(tmpdir(), "tranship-deploy-"));
    mkdirSync(join(host, "etc/systemd/system"), { recursive: true });
    await makePackage(fixture.root, "shop:1", { descriptor: shop("1", {
      shortcuts: [{ name: "Shop", program: "tool", comment: "sells" }, { name: "Old", program: "tool" }],
      associations: [{ program: "tool", extensions: ["shp"] }],
    }) });
    await makePackage(fixture.root, "shop:2", { descriptor: shop("2", { shortcuts: [{ name: "Shop", program: "tool", comment: "sells more" }] }) });
    await makePackage(fixture.root, "shop:bad", { descriptor: shop("3", { programs: [sh("server", "exit 3"), sh("tool", "")] }) });
  }); // biome-ignore format: a table

  after(async () => {
    await fixture.clean();
    await fixture.remove();
    rmSync(host, { recursive: true, force: true });
  });

  const cli = async (...words: string[]): Promise<CliResult> => await fixture.cli(words);
  const good = async (...words: string[]): Promise<string> => {
    const done = await cli(...words);
    assert.equal(done.status, 0, `${words.join(" ")}: ${done.stderr}`);
    return done.stdout;
  };
  const deploy = (...words: string[]): Promise<string> =>
    good("package", "deploy", "--network", "none", "--host-root", host, ...words);
  const order = (): string[] =>
    readFileSync(join(fixture.root.volumes, "shop_1.srv-data/data/order"), "utf8").trim().split("\n");
  const hostFiles = (): string[] =>
    readdirSync(host, { recursive: true, withFileTypes: true })
      .filter((one) => one.isFile())
      .map((one) => one.name)
      .sort();
  const names = async (): Promise<string[]> =>
    (await good("ps", "-a", "--format", "{{.Names}} {{.State}}"))
      .trim()
      .split("\n")
      .filter((line) => line !== "")
      .sort();
  const forget = async (): Promise<void> => {
    await good("volume", "rm", "-f", "shop_1.srv-data");
    for (const name of hostFiles()) assert.fail(`${name} was left`);
    assert.deepEqual(await names(), []);
  };

  test("a life in EMP's order: hooks, services, hooks; update, rollback, remove; each again is no change", async () => {
    assert.match(await deploy("shop:1"), /^shop_1 1 /);
    assert.deepEqual(order(), ["pre", "started-1", "post"]);
    assert.deepEqual(await names(), ["shop_1 running"]);
    const unit = readdirSync(join(host, "etc/systemd/system"))[0] ?? "";
    assert.match(
      readFileSync(join(host, "etc/systemd/system", unit), "utf8"),
      new RegExp(`--root ${fixture.root.path} boot`),
    );
    assert.deepEqual(hostFiles(), [
      "tranship-shop_1-Old.desktop", "tranship-shop_1-Shop.desktop", "tranship-shop_1.xml", unit,
    ].sort()); // biome-ignore format: short
    const again = await cli("package", "deploy", "--host-root", host, "shop:1");
    assert.match(again.stderr, /was there already/);
    assert.deepEqual(order(), ["pre", "started-1", "post"]);
    assert.match((await cli("package", "deploy", "--host-root", host, "shop:2")).stderr, /E_DEPLOYED/);

    assert.match(await good("package", "update", "shop:2"), /^shop_1 2 /);
    assert.deepEqual(order(), ["pre", "started-1", "post", "started-2"]);
    assert.deepEqual(await names(), ["shop_1 running", "shop_1.1 exited"]);
    assert.deepEqual(hostFiles(), ["tranship-shop_1-Shop.desktop", unit].sort());
    assert.match(
      readFileSync(join(host, "usr/local/share/applications/tranship-shop_1-Shop.desktop"), "utf8"),
      /sells more/,
    );

    assert.match(await good("package", "rollback", "shop_1"), /^shop_1 1 /);
    assert.deepEqual(await names(), ["shop_1 running", "shop_1.2 exited"]);
    assert.equal(await good("exec", "shop_1", "cat", "/root/made"), "pre\n");
    assert.match(await good("package", "deployed"), /shop_1 +1 +2 +running +shop:1/);
    assert.match(await good("package", "rollback", "shop_1"), /^shop_1 2 /);

    await good("package", "remove", "shop_1");
    assert.equal(order().at(-1), "uninstall");
    assert.match((await cli("package", "remove", "shop_1")).stderr, /E_DEPLOYMENT_NOT_FOUND/);
    await deploy("shop:1");
    assert.equal(order()[0], "pre", "the data of the removed deployment is taken again");
    await good("package", "remove", "shop_1");
    await forget();
  });

  test("data is saved into a file and taken from it", async () => {
    await deploy("shop:1");
    await good(
      "exec",
      "shop_1",
      "/bin/sh",
      "-c",
      "echo mine > /srv/data/mine; ln /srv/data/mine /srv/data/also; ln -s mine /srv/data/link; chown 33:44 /srv/data/mine",
    );
    const file = join(host, "data.tar");
    await good("package", "remove", "--save-data", file, "shop_1");
    assert.ok(!existsSync(join(fixture.root.volumes, "shop_1.srv-data")));
    await deploy("--data", file, "--name", "other", "shop:1");
    assert.equal(await good("exec", "other", "cat", "/srv/data/link"), "mine\n");
    assert.equal(await good("exec", "other", "stat", "-c", "%u %g %h", "/srv/data/also"), "33 44 2\n");
    await good("package", "remove", "other");
    const taken = await cli(
      "package",
      "deploy",
      "--host-root",
      host,
      "--name",
      "other",
      "--data",
      file,
      "shop:1",
    );
    assert.match(taken.stderr, /E_VOLUME_IN_USE/);
    await good("volume", "rm", "other.srv-data");
    rmSync(file);
    await forget();
  });

  test("what fails is undone: a hook, a service that does not start, hooks of the host that nobody allowed", async () => {
    const mark = join(host, "mark");
    const failing = (stage: "preInstall" | "postInstall") => shop("1", { hooks: {
      preInstall: [{ command: ["/bin/sh", "-c", `echo pre >> ${mark}`], where: "host" }],
      postInstall: [],
      uninstall: [{ command: ["/bin/sh", "-c", `echo undone $TRANSHIP_DEPLOYMENT >> ${mark}`], where: "host" }],
      [stage]: [{ command: ["/bin/sh", "-c", `echo ran >> ${mark}`], where: "host" }, { command: ["/bin/sh", "-c", "echo no luck; exit 4"], where: "package" }],
    } }); // biome-ignore format: a table
    for (const stage of ["preInstall", "postInstall"] as const) {
      await makePackage(fixture.root, "shop:hooks", { descriptor: failing(stage) });
      const asked = await cli("package", "deploy", "--network", "none", "--host-root", host, "shop:hooks");
      assert.match(asked.stderr, /E_USAGE.*hooks that run on this host/);
      assert.ok(!existsSync(mark));
      const done = await cli(
        "package",
        "deploy",
        "--network",
        "none",
        "--host-root",
        host,
        "--allow-host-hooks",
        "shop:hooks",
      );
      assert.equal(done.status, 1);
      assert.match(done.stderr, /E_HOOK_FAILED.*ended with status 4\n.*no luck/);
      assert.match(readFileSync(mark, "utf8"), /ran\nundone shop_1\n$/);
      rmSync(mark);
      await forget();
    }
    const late = shop("1", {
      hooks: {
        preInstall: [{ command: ["/bin/sleep", "60"], where: "package", timeout: "300ms" }],
        postInstall: [],
        uninstall: [],
      },
    });
    await makePackage(fixture.root, "shop:late", { descriptor: late });
    assert.match(
      (await cli("package", "deploy", "--network", "none", "--host-root", host, "shop:late")).stderr,
      /time was over/,
    );
    assert.match(
      (await cli("package", "deploy", "--network", "none", "--host-root", host, "shop:bad")).stderr,
      /ended with status/,
    );
    await forget();
    await deploy("shop:1");
    assert.notEqual((await cli("package", "update", "shop:bad")).status, 0);
    assert.deepEqual(await names(), ["shop_1 running"]);
    assert.match(await good("package", "deployed"), /shop_1 +1 +running/);
    await makePackage(fixture.root, "other:1", {
      descriptor: { ...shop("1"), metadata: { id: "other", name: "o", version: "1", publisher: "" } },
    });
    assert.match((await cli("package", "update", "--name", "shop_1", "other:1")).stderr, /not other/);
    await good("package", "remove", "shop_1");
    await forget();
  });

  test("startOnDeploy: what a deployment starts, and what every later start does", async () => {
    const service = (name: string, more: object) => ({
      name,
      program: name,
      essential: false,
      readiness: { file: `/run/${name}`, timeout: "20s" },
      ...more,
    });
    const program = (name: string) =>
      sh(name, `echo ${name} >> /srv/data/order; touch /run/${name}; exec sleep 1000`);
    const file = join(fixture.root.volumes, "shop_1.srv-data/data/order");
    /** A restart does not wait for its services; what comes too much is seen by the next call. */
    const started = async (...wanted: string[]): Promise<void> => {
      const words = (): string =>
        existsSync(file)
          ? order()
              .filter((word) => !["pre", "post", "uninstall"].includes(word))
              .sort()
              .join()
          : "";
      for (const end = Date.now() + 60_000; words() !== wanted.join() && Date.now() < end; )
        await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(words(), wanted.join());
      rmSync(file);
    };
    const services = [
      service("plain", {}),
      service("base", { startup: "manual" }),
      service("once", { startup: "manual", startOnDeploy: true, after: ["base"] }),
      service("later", { startOnDeploy: false }),
      service("off", { startup: "disabled", startOnDeploy: true }),
    ];
    const programs = services.map(({ name }) => program(name));
    await makePackage(fixture.root, "first:1", { descriptor: shop("1", { services, programs }) });
    await makePackage(fixture.root, "first:2", { descriptor: shop("2", { services, programs }) });
    await deploy("first:1");
    await started("base", "once", "plain");
    await good("restart", "shop_1");
    await started("later", "plain");
    await good("package", "update", "first:2");
    await started("base", "once", "plain");
    await good("package", "rollback", "shop_1");
    await started("later", "plain");
    await good("package", "remove", "shop_1");
    await forget();
    // Nothing to start yet: the next start of the machine does.
    const held = shop("1", {
      services: [service("later", { startOnDeploy: false })],
      programs: [program("later")],
    });
    await makePackage(fixture.root, "held:1", {
      descriptor: { ...held, hooks: { preInstall: [], postInstall: [], uninstall: [] } },
    });
    await deploy("held:1");
    assert.deepEqual(await names(), ["shop_1 created"]);
    await deploy("held:1");
    assert.deepEqual(await names(), ["shop_1 created"], "deployed again");
    assert.notEqual((await cli("package", "update", "shop:bad")).status, 0);
    assert.deepEqual(await names(), ["shop_1 created"], "brought back");
    // A removal that was killed and fails again keeps no other down.
    const hooks = {
      preInstall: [],
      postInstall: [],
      uninstall: [{ command: ["/bin/sh", "-c", "test -e /run/may-go"], where: "package" as const }],
    };
    const plain = {
      services: [service("idle", {})],
      programs: [sh("idle", "touch /run/idle; exec sleep 1000")],
    };
    await makePackage(fixture.root, "failing:1", { descriptor: shop("1", { ...plain, hooks, volumes: [] }) });
    await deploy("failing:1", "--name", "failing");
    const record = join(fixture.root.path, "deployed/failing.json");
    const known = JSON.parse(readFileSync(record, "utf8"));
    writeFileSync(record, JSON.stringify({ ...known, pending: { verb: "remove" } }));
    const booted = await cli("boot");
    assert.equal(booted.status, 1, booted.stderr);
    assert.match(booted.stderr, /the deployment failing: .*\n(.*\n)*.*E_RUNTIME.*: failing\n/);
    assert.deepEqual(await names(), ["failing running", "shop_1 running"]);
    await started("later");
    await good("package", "remove", "shop_1");
    await good("exec", "failing", "touch", "/run/may-go");
    await good("package", "remove", "failing");
    await forget();
  });

  test("files of the host: what somebody changed stays, what is missing comes again", async () => {
    const applications = join(host, "usr/local/share/applications");
    mkdirSync(applications, { recursive: true });
    const foreign = join(applications, "tranship-shop_1-Old.desktop");
    writeFileSync(foreign, "mine\n");
    await deploy("shop:1");
    const own = join(applications, "tranship-shop_1-Shop.desktop");
    const text = readFileSync(own, "utf8");
    rmSync(own);
    rmSync(join(host, "usr/local/share/mime/packages/tranship-shop_1.xml"));
    await deploy("shop:1");
    assert.equal(readFileSync(own, "utf8"), text);
    writeFileSync(own, "changed\n");
    await deploy("shop:1");
    assert.equal(readFileSync(own, "utf8"), "changed\n");
    const removed = await cli("package", "remove", "shop_1");
    assert.match(removed.stderr, /was changed since/);
    assert.deepEqual([readFileSync(foreign, "utf8"), readFileSync(own, "utf8")], ["mine\n", "changed\n"]);
    rmSync(foreign);
    rmSync(own);
    await forget();
  });

  test("the unit below each root of a host goes with the last deployment below it", async () => {
    const other = mkdtempSync(join(tmpdir(), "tranship-deploy-"));
    try {
      const units = join(other, "etc/systemd/system");
      mkdirSync(units, { recursive: true });
      await deploy("shop:1");
      for (const name of ["one", "two"])
        await good("package", "deploy", "--network", "none", "--host-root", other, "--name", name, "shop:1");
      await good("package", "remove", "one");
      assert.equal(readdirSync(units).length, 1, "the other one below that root has it now");
      await good("package", "remove", "two");
      assert.deepEqual(readdirSync(units), []);
      assert.equal(readdirSync(join(host, "etc/systemd/system")).length, 1);
      await good("package", "remove", "shop_1");
      await good("volume", "rm", "-f", "one.srv-data", "two.srv-data");
      await forget();
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });

  test("kill -9 while files of the host are replaced: they are still ours, and the next command writes the rest", async () => {
    const entry = join(host, "usr/local/share/applications/tranship-shop_1-Shop.desktop");
    const list = join(host, "steps");
    for (const verb of [
      ["update", "shop:2"],
      ["rollback", "shop_1"],
    ]) {
      await deploy("shop:1");
      if (verb[0] === "rollback") await good("package", "update", "shop:2");
      const words = ["package", ...verb];
      await fixture.cli(words, { env: { TRANSHIP_STEPS_FILE: list } });
      const steps = readFileSync(list, "utf8").split("\n");
      rmSync(list);
      await good("package", "rollback", "shop_1");
      const at = steps.findIndex((step) => step.endsWith("write a file of the host")) + 1;
      assert.ok(at > 0, steps.join());
      const killed = await fixture.cli(words, { env: { TRANSHIP_CRASH_AT: String(at) } });
      assert.equal(killed.status, 137, killed.stderr);
      // Whatever it is, the first thing that is done puts the files right.
      await cli("package", "update", verb[0] === "update" ? "shop:2" : "shop:1");
      const wanted = verb[0] === "update" ? "sells more" : "sells";
      assert.match(readFileSync(entry, "utf8"), new RegExp(`^Comment=${wanted}$`, "m"));
      await good("package", "remove", "shop_1");
      await forget();
    }
  });

  test("kill -9 at every step: the next command finds a whole deployment, or none", async () => {
    const verbs: [words: string[], before: () => Promise<unknown>][] = [
      [["package", "deploy", "--network", "none", "--host-root", host, "shop:1"], async () => {}],
      [["package", "update", "shop:2"], () => deploy("shop:1")],
      [["package", "rollback", "shop_1"], async () => { await deploy("shop:1"); await good("package", "update", "shop:2"); }],
      [["package", "remove", "--save-data", join(host, "saved.tar"), "shop_1"], () => deploy("shop:1")],
    ]; // biome-ignore format: a table
    const clear = async (): Promise<void> => {
      await cli("package", "remove", "shop_1");
      rmSync(join(host, "saved.tar"), { force: true });
      await forget();
    };
    for (const [words, prepare] of verbs) {
      await prepare();
      const list = join(host, "steps");
      const listed = await fixture.cli(words, { env: { TRANSHIP_STEPS_FILE: list } });
      assert.equal(listed.status, 0, listed.stderr);
      const steps = readFileSync(list, "utf8")
        .trim()
        .split("\n")
        .map((line) => line.replace(/^\d+ /, ""));
      rmSync(list);
      await clear();
      // Without a soak one step of each verb, of those that are its own.
      const own = /deploy|version|host|instance of|does not count|hook|data/;
      const mine = steps.flatMap((step, index) => (own.test(step) ? [index] : []));
      const tried = mine[Math.floor(mine.length / 2)];
      for (const [index, step] of steps.entries()) {
        // And where the instance holds a name that is not its own yet.
        if (!soaking && index !== tried && !(words[1] === "remove" && step === "rename record")) continue;
        await prepare();
        const killed = await fixture.cli(words, { env: { TRANSHIP_CRASH_AT: String(index + 1) } });
        // What was left to a process of its own may be where the count ends.
        if (killed.status === 0) {
          await clear();
          continue;
        }
        const where = `${words[1]}, step ${index + 1}: ${step}`;
        assert.equal(killed.status, 137, `${where}: ${killed.stderr}`);
        const again = await cli(...words);
        const gone = words[1] === "remove" && /E_DEPLOYMENT_NOT_FOUND/.test(again.stderr);
        assert.ok(again.status === 0 || gone, `${where}: ${again.stderr}`);
        if (words[1] !== "remove") {
          assert.equal(
            (await names()).filter((line) => line.endsWith("running")).join(),
            "shop_1 running",
            where,
          );
          assert.match(await good("package", "deployed"), /shop_1 .*running/, where);
        } else assert.ok(existsSync(join(host, "saved.tar")), where);
        await clear();
      }
    }
  });
});
