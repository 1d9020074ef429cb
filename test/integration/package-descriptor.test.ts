// A package's descriptor in its life: shown, changed without a layer, looked over, obeyed by run, baked for who runs the bare image.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { repairWork } from "../../src/host/work.ts";
import { openStore } from "../../src/image/store.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { makeJudges, whyNoJudges } from "../support/judges.ts";
import { makeSmallRoot } from "../support/small-root.ts";
import { type CliResult, type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const sh = (script: string): string[] => ["/bin/sh", "-c", script];

describe("the descriptor of a package", { skip, concurrency: false }, () => {
  let fixture: Fixture;
  let work: string;
  const cli = (...args: string[]): Promise<CliResult> => fixture.cli(args);

  before(async () => {
    fixture = await makeFixture();
    work = mkdtempSync(join(tmpdir(), "tranship-descriptor-"));
    await makePackage(fixture.root, "app:1", {
      config: { Env: ["PATH=/bin", "MODE=captured", "SITE=kept"], ExposedPorts: { "80/tcp": {} } },
      descriptor: {
        environment: { MODE: "captured" },
        programs: [{ name: "main", command: sh("echo mode=$MODE site=$SITE extra=$EXTRA") }],
        ports: [{ port: 80, protocol: "tcp" }],
      },
    });
  });
  after(async () => {
    await fixture.remove();
    rmSync(work, { recursive: true, force: true });
  });

  const blobs = (): string[] => readdirSync(join(fixture.root.store, "blobs/sha256")).sort();
  const digest = (name: string): string => openStore(fixture.root).resolve(name).target.digest;

  it("is changed by --set: a new index, no layer, and run obeys it", async () => {
    const before = blobs();
    const changed = await cli(
      "package", "edit", "-t", "app:2", "--set", "environment={MODE: edited, EXTRA: more}", "--set", "ports=[]",
      "--set", "volumes[+]={path: /srv/data, initial: copy}", "app:1",
    ); // biome-ignore format: a command line
    assert.equal(changed.status, 0, changed.stderr);
    assert.match(changed.stdout, /^app:2 sha256:[0-9a-f]{64}\n$/);
    const added = blobs().filter((name) => !before.includes(name));
    assert.equal(added.length, 3, "descriptor, its manifest, the index");
    const bytes = added.map((name) => readFileSync(join(fixture.root.store, "blobs/sha256", name)).length);
    assert.ok(bytes.reduce((sum, size) => sum + size, 0) < 8192);
    const [one, two] = ["app:1", "app:2"].map((name) => openStore(fixture.root).image(name));
    assert.equal(one?.manifestDescriptor.digest, two?.manifestDescriptor.digest, "they share the image");

    assert.equal((await cli("run", "--rm", "app:1")).stdout, "mode=captured site=kept extra=\n");
    assert.equal((await cli("run", "--rm", "app:2")).stdout, "mode=edited site=kept extra=more\n");
    assert.equal(
      (await cli("run", "--rm", "-e", "MODE=flag", "app:2")).stdout,
      "mode=flag site=kept extra=more\n",
    );
    assert.equal((await cli("create", "--name", "kept", "app:2")).status, 0);
    const shown = JSON.parse((await cli("inspect", "kept")).stdout)[0];
    assert.equal(shown.record.descriptor, "package");
    assert.equal(shown.record.mounts[0].target, "/srv/data");
    assert.equal((await cli("rm", "kept")).status, 0);
    assert.deepEqual(
      (await verifyImage(openStore(fixture.root), "app:2")).filter((one) => one.severity === "error"),
      [],
    );
  });

  it("of a file counts before the package's, also when the instance starts again", async () => {
    const file = join(work, "given.yaml");
    const text = (await cli("package", "show", "app:1")).stdout.replace(/MODE: captured/, "MODE: given");
    writeFileSync(file, text);
    const run = await cli(
      "run",
      "-d",
      "--name",
      "again",
      "--descriptor",
      file,
      "app:2",
      "sh",
      "-c",
      "sleep 1000",
    );
    assert.equal(run.status, 0, run.stderr);
    assert.equal((await cli("exec", "again", "sh", "-c", "echo $MODE")).stdout, "given\n");
    assert.equal((await cli("stop", "-t", "1", "again")).status, 0);
    rmSync(file);
    assert.equal((await cli("start", "again")).status, 0);
    assert.equal((await cli("exec", "again", "sh", "-c", "echo $MODE")).stdout, "given\n");
    assert.equal(JSON.parse((await cli("inspect", "again")).stdout)[0].record.descriptor, file);
    assert.equal((await cli("rm", "-f", "again")).status, 0);
    writeFileSync(file, "kind: Package\n");
    const refused = await cli("run", "--rm", "--descriptor", file, "app:2");
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /E_DESCRIPTOR_INVALID.*given\.yaml.*apiVersion/);
    await fixture.clean();
  });

  it("manual services start where they are asked for, with those that they come after", async () => {
    const service = (name: string, startup: string, after: string[]) => ({
      name,
      program: name,
      startup,
      after,
      essential: false,
      type: "oneshot", // biome-ignore format: short
    });
    const file = join(work, "manual.yaml");
    const names = ["first", "second", "third", "never"];
    const text = JSON.parse((await cli("package", "show", "--format", "json", "app:1")).stdout);
    const descriptor = {
      ...text,
      programs: [
        ...names.map((name) => ({ name, command: sh(`echo ${name} ran`) })),
        { name: "main", command: sh("sleep 1; echo main ran") },
      ],
      services: [
        { name: "main", program: "main" },
        service("first", "manual", []),
        service("second", "manual", ["first"]),
        service("third", "manual", []),
        service("never", "disabled", []),
      ],
    };
    writeFileSync(file, JSON.stringify(descriptor));
    const run = (...words: string[]) => cli("run", "--rm", "--descriptor", file, ...words, "app:1");
    const plain = await run();
    assert.equal(plain.stdout, "main ran\n", plain.stderr);
    const more = await run("--service", "second");
    assert.deepEqual(
      more.stdout.trim().split("\n").sort(),
      ["first ran", "main ran", "second ran"],
      more.stderr,
    );
    for (const [name, words] of [
      ["never", /never .*is disabled/],
      ["missing", /no service "missing"/],
    ] as const) {
      const refused = await run("--service", name);
      assert.equal(refused.status, 2, name);
      assert.match(refused.stderr, words);
    }
    await fixture.clean();
  });

  it("refuses by name what no engine, or not this one, carries out", async () => {
    const file = join(work, "kept.yaml");
    const text = JSON.parse((await cli("package", "show", "--format", "json", "app:1")).stdout);
    const run = (changes: object, ...words: string[]): Promise<CliResult> => {
      writeFileSync(file, JSON.stringify({ ...text, ...changes }));
      return cli("run", "--rm", ...words, "--descriptor", file, "app:1", "/bin/sh", "-c", "echo ran");
    };
    const excluding = await run({ excludes: ["calc"] });
    assert.equal(excluding.status, 125, excluding.stderr);
    assert.match(excluding.stderr, /E_NOT_CARRIED_OUT.*excludes calc[\s\S]*hint: .*--engine inprocess/);
    if (process.arch === "x64")
      assert.equal((await run({ excludes: ["calc"] }, "--engine", "inprocess")).stdout, "ran\n");
    await fixture.clean();
  });

  it("says in the debug output of init which plan is used", async () => {
    const debug = async (name: string): Promise<string> =>
      (await cli("run", "--rm", "-e", "TRANSHIP_DEBUG=1", name)).stderr;
    assert.match(await debug("app:1"), /using the plan \/\.tranship\/init\.bin/);
    assert.match(await debug("app:2"), /using the plan \/\.tranship\/run\/init\.bin/);
  });

  it("is edited in an editor; what is not valid is refused with its line, and not lost", async () => {
    const editor = join(work, "editor");
    const write = (script: string): void => {
      writeFileSync(editor, `#!/bin/sh\n${script}\n`);
      chmodSync(editor, 0o755);
    };
    const edit = (...more: string[]): Promise<CliResult> =>
      fixture.cli(["package", "edit", ...more, "app:2"], { env: { EDITOR: editor, VISUAL: "" } });
    const edits = (): string[] => readdirSync(join(fixture.root.path, "edits"));

    const before = digest("app:2");
    write(":");
    assert.equal((await edit()).stdout, "nothing was changed\n");
    assert.deepEqual(edits(), []);

    write('sed -i "s/^programs:/prgrams:/; s/^kind: .*/kind: Bundle/" "$1"');
    const refused = await edit();
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /line 2: kind: /);
    assert.equal(digest("app:2"), before);
    const [left = ""] = edits();
    assert.match(refused.stderr, new RegExp(`package edit --file .*${left}`));
    assert.match(readFileSync(join(fixture.root.path, "edits", left), "utf8"), /^kind: Bundle$/m);

    write('sed -i "1i # by hand" "$1"; sed -i "s/MODE: edited/MODE: by-hand # why/; \\$a x-site: 1" "$1"');
    const done = await edit();
    assert.equal(done.status, 0, done.stderr);
    assert.notEqual(digest("app:2"), before);
    const text = (await cli("package", "show", "app:2")).stdout;
    assert.match(text, /^# by hand\n/);
    assert.match(text, /MODE: by-hand # why/);
    assert.match(text, /^x-site: 1$/m);
    assert.equal(edits().length, 1, "the one that was refused is still there");
    assert.equal((await cli("run", "--rm", "app:2")).stdout, "mode=by-hand site=kept extra=more\n");

    write('rm "$1"');
    assert.match((await edit()).stderr, /E_TOOL_FAILED.*left no text: app:2 was not changed/);

    write("exit 3");
    assert.equal((await edit()).status, 1);
  });

  it("is taken from standard input, and refused where another command was faster", async () => {
    const text = (await cli("package", "show", "app:2")).stdout;
    const piped = await fixture.cli(["package", "edit", "--file", "-", "-t", "app:3", "app:2"], {
      input: text,
    });
    assert.equal(piped.status, 0, piped.stderr);
    assert.equal((await cli("package", "show", "app:3")).stdout, text);
    const bad = await fixture.cli(["package", "edit", "--file", "-", "app:3"], { input: "a: [" });
    assert.equal(bad.status, 1);
    assert.match(bad.stderr, /E_DESCRIPTOR_INVALID.*line 1/);

    const editor = join(work, "slow");
    const words = `TRANSHIP_ROOT=${fixture.root.path} ${process.execPath} ${join(import.meta.dirname, "../../src/cli/main.ts")}`;
    writeFileSync(
      editor,
      `#!/bin/sh\n${words} package edit --set x-first=1 app:3 >&2 && echo 'x-second: 1' >>"$1"\n`,
    );
    chmodSync(editor, 0o755);
    const late = await fixture.cli(["package", "edit", "app:3"], { env: { EDITOR: editor, VISUAL: "" } });
    assert.equal(late.status, 1);
    assert.match(late.stderr, /E_CHANGED_MEANWHILE/);
    const now = (await cli("package", "show", "app:3")).stdout;
    assert.match(now, /x-first/);
    assert.doesNotMatch(now, /x-second/);
  });

  it("is looked over by lint, with lines and hints, as text and as JSON", async () => {
    assert.equal((await cli("package", "lint", "app:1")).status, 0);
    const changed = await cli(
      "package", "edit", "-t", "app:bad", "--set", "programs[+]={name: gone, command: [/opt/gone], user: ghost}",
      "--set", "redirections.files[+]={from: /opt, to: /srv, match: folder, mode: merged}",
      "--set", "secrets[+]={delivery: mount, path: /etc/hostname}", "--set", "sevices=[]", "app:1",
    ); // biome-ignore format: a command line
    assert.equal(changed.status, 0, changed.stderr);
    const told = await cli("package", "lint", "app:bad");
    assert.equal(told.status, 3, told.stderr);
    for (const wanted of [
      /^error\[program-missing\]: line \d+: programs\[1\]\.command: the program \/opt\/gone of gone/m,
      /^error\[user-missing\]: line \d+: /m,
      /^error\[merged-folder\]: line \d+: /m,
      /^error\[secret-in-layer\]: line \d+: .*\/etc\/hostname/m,
      /^warning\[unknown-key\]: line \d+: sevices: /m,
      /did you mean services/,
      /^app:bad: 4 errors, 1 warnings$/m,
    ])
      assert.match(told.stdout, wanted);
    const json = JSON.parse((await cli("package", "lint", "--format", "json", "app:bad")).stdout);
    assert.equal(json.errors, 4);
    assert.ok(
      json.findings.every((one: { line: unknown; hint: unknown }) => one.line !== null && one.hint !== ""),
    );
  });

  it("makes a package of an imported root directory, which is none", async () => {
    const root = join(work, "root");
    makeSmallRoot(root);
    assert.equal((await cli("package", "import", root, "bare:1")).status, 0);
    const refused = await cli("package", "show", "bare:1");
    assert.match(refused.stderr, /E_IMAGE_UNSUPPORTED[\s\S]*package bake --descriptor FILE bare:1/);
    const file = join(work, "bare.yaml");
    const text = JSON.parse((await cli("package", "show", "--format", "json", "app:1")).stdout);
    const programs = [
      { name: "main", command: sh("echo main; sleep 1") },
      { name: "web", command: sh("echo web") },
    ];
    const services = [
      { name: "main", program: "main" },
      { name: "web", program: "web", type: "oneshot" },
    ];
    writeFileSync(file, JSON.stringify({ ...text, programs, services }));
    assert.equal((await cli("package", "lint", "--descriptor", file, "bare:1")).status, 0);
    const alone = await cli("run", "--rm", "--descriptor", file, "bare:1", "sh", "-c", "echo own");
    assert.equal(alone.stdout, "own\n");
    assert.match(alone.stderr, /services of .*bare\.yaml do not run/);
    const baked = await cli("package", "bake", "--descriptor", file, "-t", "made:1", "bare:1");
    assert.equal(baked.status, 0, baked.stderr);
    const ran = await cli("run", "--rm", "made:1");
    assert.deepEqual(ran.stdout.trim().split("\n").sort(), ["main", "web"], ran.stderr);
  });

  it("is shown with its defaults, as JSON and by a template", async () => {
    const effective = JSON.parse(
      (await cli("package", "show", "--effective", "--format", "json", "app:1")).stdout,
    );
    assert.equal(effective.programs[0].user, "root");
    assert.equal((await cli("package", "show", "--format", "{{.metadata.name}}", "app:1")).stdout, "box\n");
  });

  it("is baked into a small layer, and the bare image obeys it under podman", {
    skip: whyNoJudges ?? false,
  }, async () => {
    const none = await cli("package", "bake", "-t", "app:same", "app:1");
    assert.match(none.stdout, /holds this descriptor already/);
    const same = ["app:1", "app:same"].map((name) => openStore(fixture.root).image(name).target.digest);
    assert.equal(same[0], same[1], "it has the name that was asked for");
    for (const round of [1, 2]) {
      const baked = await cli("package", "bake", "-t", "app:baked", "app:2");
      assert.equal(baked.status, 0, baked.stderr);
      assert.match(baked.stdout, /^app:baked sha256:/, String(round));
    }
    const again = await cli("package", "edit", "--set", "environment.MODE=twice", "app:baked");
    assert.equal(again.status, 0, again.stderr);
    assert.equal((await cli("package", "bake", "app:baked")).status, 0);
    const [one, two] = ["app:1", "app:baked"].map((name) => openStore(fixture.root).image(name));
    assert.equal(two?.layers.length, (one?.layers.length ?? 0) + 1, "baked anew, not on top of the last one");
    assert.ok((two?.layers.at(-1)?.descriptor.size ?? 99_999) < 4096);
    assert.equal((await cli("run", "--rm", "app:baked")).stdout, "mode=twice site=kept extra=more\n");
    assert.deepEqual(
      (await verifyImage(openStore(fixture.root), "app:baked")).filter((f) => f.severity === "error"),
      [],
    );

    const archive = join(work, "baked.tar");
    assert.equal((await cli("package", "export", "-o", archive, "app:baked")).status, 0);
    const judges = await makeJudges(fixture, join(work, "judges"));
    try {
      await judges.run("podman", "load", "-q", "-i", archive);
      const words = ["run", "--rm", "--network", "none", "localhost/app:baked"];
      assert.equal(await judges.run("podman", ...words), "mode=twice site=kept extra=more\n");
    } finally {
      judges.close();
    }
  });

  it("with redirections and a clock is baked with the engine, which carries them out under podman", {
    skip: whyNoJudges ?? (process.arch === "x64" ? false : "the in-process engine is for x86-64"),
  }, async () => {
    const show =
      "cat /opt/legacy/file; echo new > /opt/legacy/new; cat /opt/legacy/new; ls /srv/legacy; cat /srv/copy/file; echo changed > /opt/copy/file; cat /opt/copy/file /srv/copy/file; busybox date +%Y; busybox uname -r; echo $$-$TRANSHIP_BELOW_ENGINE";
    await makePackage(fixture.root, "lead:1", {
      files: { "/srv/legacy/file": "legacy\n", "/srv/copy/file": "copy\n" },
      descriptor: {
        programs: [{ name: "main", command: sh(show) }],
        elements: {
          clock: { at: "2009-01-01T00:00:00Z" },
          uname: { release: "2.6.18" },
          vsyscall: "auto",
          loopback: "kernel",
          users: "kernel",
        },
        redirections: {
          files: [
            { from: "/opt/legacy", to: "/srv/legacy", match: "folder", mode: "full" },
            { from: "/opt/copy", to: "/srv/copy", match: "folder", mode: "write-copy" },
          ],
          network: [{ kind: "name", from: "old-db", to: "127.0.0.1" }],
          registry: [],
        },
      },
    });
    const baked = await cli("package", "bake", "-t", "lead:baked", "lead:1");
    assert.equal(baked.status, 0, baked.stderr);
    assert.match(baked.stderr, /redirections of names are not carried out where other tools start the image/);
    assert.match((await cli("package", "bake", "lead:baked")).stdout, /holds this descriptor already/);
    const archive = join(work, "lead.tar");
    assert.equal((await cli("package", "export", "-o", archive, "lead:baked")).status, 0);
    const judges = await makeJudges(fixture, join(work, "lead-judges"));
    try {
      await judges.run("podman", "load", "-q", "-i", archive);
      const words = ["run", "--rm", "--network", "none", "localhost/lead:baked"];
      const told = await judges.run("podman", ...words);
      assert.match(told, /^legacy\nnew\nfile\nnew\ncopy\nchanged\ncopy\n2009\n2\.6\.18\n\d+-\n$/);
      // A command in its place, its status, and who may not be root.
      const status = await judges.run(
        "podman",
        ...words,
        "/bin/sh",
        "-c",
        "cat /opt/legacy/file; (exit 7); echo $?",
      );
      assert.equal(status, "legacy\n7\n");
      const user = [
        ...words.slice(0, -1),
        "--user",
        "1000:1000",
        "localhost/lead:baked",
        "/bin/sh",
        "-c",
        "cat /opt/legacy/file; busybox date +%Y",
      ];
      assert.equal(await judges.run("podman", ...user), "legacy\n2009\n");
    } finally {
      judges.close();
    }
    // Our own runtime does it without the engine of the image.
    const own = await cli(
      "run",
      "--rm",
      "lead:baked",
      "/bin/sh",
      "-c",
      "cat /opt/legacy/file; busybox date +%Y",
    );
    assert.equal(own.stdout, "legacy\n2009\n", own.stderr);
  });

  it("killed at any step of a change leaves the old one or the new one", async () => {
    const list = join(work, "steps");
    const words = ["package", "edit", "--set", "x-kill=0", "app:3"];
    await fixture.cli(words, { env: { TRANSHIP_STEPS_FILE: list } });
    const steps = readFileSync(list, "utf8").trim().split("\n").length;
    assert.ok(steps > 5, String(steps));
    for (let at = 1; at <= steps; at++) {
      const before = digest("app:3");
      const killed = await fixture.cli(["package", "edit", "--set", `x-kill=${at}`, "app:3"], {
        env: { TRANSHIP_CRASH_AT: String(at) },
      });
      assert.equal(killed.status, 137, `step ${at}: ${killed.stderr}`);
      repairWork(fixture.root, quiet); // as the next command does it
      const store = openStore(fixture.root);
      const yaml = Buffer.from(store.descriptorYaml(store.image("app:3")) ?? "").toString();
      assert.ok(yaml.includes(`x-kill: ${at}`) || digest("app:3") === before);
      assert.deepEqual(readdirSync(fixture.root.work), []);
    }
    await until(() => readdirSync(fixture.root.locks).length === 0);
    assert.equal((await cli("run", "--rm", "app:3", "true")).status, 0);
  });
});
