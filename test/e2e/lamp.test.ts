// The main job: a guest book on Debian 11 (Apache, PHP, MariaDB) is lifted and answers as it did.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { originalPages, type Watched, watchHost, watchSource } from "../../src/cli/demo/evidence.ts";
import { changes } from "../../src/cli/demo/listing.ts";
import type { Side } from "../../src/deploy/parity.ts";
import { openStateRoot } from "../../src/host/state-root.ts";
import { openStore } from "../../src/image/store.ts";
import { type Fixture, makeFixture, whyNot } from "../integration/runtime-fixture.ts";
import { doctoredContents, storeDoctored } from "../support/doctored.ts";
import { type Judges, makeJudges, whyNoJudges } from "../support/judges.ts";
import {
  ask,
  buildLamp,
  captureGuestbook,
  exercise,
  machine,
  quietContext,
  secret,
  whyNoLamp,
} from "../support/lamp.ts";
import { lamp } from "../support/roots.ts";

const skip = whyNot() ?? whyNoLamp() ?? false;
const never = new AbortController().signal;

describe("a LAMP application", { skip, timeout: 900_000 }, () => {
  let fixture: Fixture;
  let scratch: string;
  let judges: Judges | undefined;
  let original: Side;
  let host: Watched;
  let source: Watched;
  let archive: string;

  before(async () => {
    buildLamp();
    scratch = mkdtempSync(join(tmpdir(), "tranship-lamp-"));
    host = await watchHost(never);
    source = await watchSource(lamp, never);
    fixture = await makeFixture();
    if (whyNoJudges === undefined) judges = await makeJudges(fixture, join(scratch, "judges"));
    await captureGuestbook(fixture, fixture.root.path);
    original = await originalPages(quietContext(fixture.root), "guestbook", machine);
    archive = join(scratch, "guestbook.tar");
  });
  after(async () => {
    // First the fixture: it keeps this process alive, whatever fails after it.
    await fixture?.remove();
    judges?.close();
    execFileSync("rm", ["-rf", "--one-file-system", scratch]);
  });

  const cli = async (...words: string[]): Promise<string> => {
    const { status, stdout, stderr } = await fixture.cli(words);
    assert.equal(status, 0, `${words.join(" ")}: ${stderr}`);
    return stdout;
  };
  const judge = async (program: string, ...words: string[]): Promise<string> => {
    assert.ok(judges !== undefined);
    return await judges.run(program, ...words);
  };
  const pages = (): { name: string; path: string }[] =>
    new TextDecoder()
      .decode(original.results.get("pages.txt"))
      .trim()
      .split("\n")
      .map((line) => {
        const [name = "", path = ""] = line.split(" ");
        return { name, path };
      });
  const assertEveryPage = async (port: number, except: readonly string[] = []): Promise<void> => {
    const asked = pages().filter(({ name }) => !except.includes(name));
    assert.ok(asked.length >= 10, "the original's list of pages");
    const answers = await ask(fixture, port, asked);
    for (const [index, { name, path }] of asked.entries())
      assert.equal(
        answers[index]?.body.toString(),
        Buffer.from(original.results.get(name) ?? "").toString(),
        path,
      );
  };

  it("is verified", async () => {
    assert.match(await cli("verify", "guestbook"), /^guestbook: 0 errors/m);
  });

  it("tells why a path is in it, and why a secret is not", async () => {
    assert.match(await cli("why", "guestbook", "/srv/guestbook/calendar.php"), /guestbook\.conf/);
    const left = await fixture.cli(["why", "guestbook", "/etc/guestbook/signing.key"]);
    assert.deepEqual([left.status, /secret/.test(left.stdout)], [4, true]);
  });

  it("passes the test against the original", async () => {
    const words = ["test", "guestbook", "--against", machine, "--exercise", exercise, "--until-port", "80"];
    const report = JSON.parse(await cli(...words, "--format", "json")) as { verdict: string };
    assert.equal(report.verdict, "same");
  });

  it("runs twice at once: every page is byte-equal, the data are separate", async () => {
    assert.equal(original.status, 0, original.output);
    for (const [name, port] of [
      ["one", 8080],
      ["two", 8081],
    ] as const)
      await cli("run", "-d", "--name", name, "-p", `${port}:80`, "--secret", secret, "guestbook");
    await assertEveryPage(8080);
    await assertEveryPage(8081);
    await cli("exec", "-u", "www-data", "one", "/usr/local/bin/guestbook-rotate");
    assert.equal(
      await cli("exec", "one", "/bin/cat", "/var/spool/guestbook/years.txt"),
      new TextDecoder().decode(original.results.get("years.txt")),
    );
    const [signed] = await ask(fixture, 8080, [
      { path: "/sign.php", form: "author=Zo%C3%AB&message=In%20one" },
    ]);
    assert.equal(signed?.status, 200);
    const [here] = await ask(fixture, 8080, [{ path: "/entry/301" }]);
    const [there] = await ask(fixture, 8081, [{ path: "/entry/301" }]);
    assert.match(here?.body.toString() ?? "", /<blockquote>In one<\/blockquote>/);
    assert.equal(there?.status, 404);
    await cli("stop", "one", "two");
    assert.equal(
      (await cli("ps", "-a", "--format", "{{.Names}} {{.Status}}")).match(/Exited \(0\)/g)?.length,
      2,
    );
    await cli("start", "one");
    const [kept] = await ask(fixture, 8080, [{ path: "/entry/301" }]);
    assert.equal(kept?.status, 200, "what was signed outlives a restart");
    await cli("rm", "--force", "--volumes", "one", "two");
    await fixture.clean();
  });

  it("gives the same diffIDs and image config when it is captured again", async () => {
    const other = openStateRoot(join(scratch, "again"));
    await captureGuestbook(fixture, other.path);
    const [first, second] = [fixture.root, other].map((root) => {
      const image = openStore(root).image("guestbook");
      return { layers: image.layers.map((layer) => layer.diffId), config: image.manifest.config.digest };
    });
    assert.deepEqual(second, first);
    rmSync(other.path, { recursive: true, force: true });
  });

  for (const content of doctoredContents)
    it(`is refused by verify with ${content.what} in it`, async () => {
      await storeDoctored(fixture.root, { base: "guestbook", reference: `doctored:${content.tag}`, content });
      const { status, stdout } = await fixture.cli(["verify", `doctored:${content.tag}`]);
      assert.equal(status, 4, stdout);
      assert.ok(stdout.includes(content.path), stdout);
    });

  it("is read by skopeo from the store", { skip: whyNoJudges ?? false }, async () => {
    const store = `oci:${fixture.root.store}:guestbook:latest`;
    const image = openStore(fixture.root).image("guestbook");
    const seen = JSON.parse(await judge("skopeo", "inspect", store)) as { Layers: string[] };
    assert.deepEqual(
      seen.Layers,
      image.layers.map((layer) => layer.descriptor.digest),
    );
    const config = JSON.parse(await judge("skopeo", "inspect", "--config", store)) as {
      rootfs: { diff_ids: string[] };
    };
    assert.deepEqual(
      config.rootfs.diff_ids,
      image.layers.map((layer) => layer.diffId),
    );
    // Copying reads and checks each blob.
    await judge("skopeo", "copy", "--quiet", store, `dir:${join(scratch, "copied")}`);
    rmSync(join(scratch, "copied"), { recursive: true });
  });

  it("is unpacked by umoci as it was on the old machine", { skip: whyNoJudges ?? false }, async () => {
    await cli("package", "export", "guestbook", "--type", "oci-archive", "-o", archive);
    const layout = join(scratch, "layout");
    execFileSync("mkdir", [layout]);
    execFileSync("tar", ["-C", layout, "-xf", archive]);
    await judge("umoci", "unpack", "--image", `${layout}:guestbook:latest`, join(scratch, "bundle"));
    const packed = join(scratch, "bundle/rootfs");
    const names = execFileSync("find", [packed, "-xdev", "-type", "f", "-printf", "/%P\\n"], {
      encoding: "utf8",
    });
    const paths = names
      .trim()
      .split("\n")
      .filter((path) => !path.startsWith("/.tranship/"));
    assert.ok(paths.length > 1000);
    const list = (top: string, some: readonly string[]): string[] =>
      execFileSync("xargs", ["-d", "\n", "stat", "-c", "%n %a %u:%g %s %.9Y"], {
        cwd: top,
        input: some.map((path) => `.${path}`).join("\n"),
        encoding: "utf8",
        maxBuffer: 64 << 20,
      }).split("\n");
    assert.deepEqual(list(packed, paths), list(lamp, paths));
    for (const path of paths.filter((one) => /\.(php|conf|ini)$|apache2$|mariadbd$/.test(one)))
      assert.ok(readFileSync(join(packed, path)).equals(readFileSync(join(lamp, path))), path);
    execFileSync("rm", ["-rf", join(scratch, "bundle"), layout]);
  });

  it("runs under podman through its own Entrypoint", { skip: whyNoJudges ?? false }, async () => {
    await judge("podman", "load", "--quiet", "-i", archive);
    const [path = "", file = ""] = secret.split("=");
    await judge(
      "podman", "run", "-d", "--name", "lamp", "--network", "host", "--hostname", "old-web", "-v", `${file}:${path}:ro`,
      "localhost/guestbook:latest",
    ); // biome-ignore format: a command line
    await assertEveryPage(80);
    await judge("podman", "stop", "-t", "30", "lamp");
    assert.equal((await judge("podman", "inspect", "lamp", "--format", "{{.State.ExitCode}}")).trim(), "0");
    await judge("podman", "rm", "--force", "--volumes", "lamp");
    await judge("podman", "rmi", "--all", "--force");
  });

  it("gives one program of the machine with its output", async () => {
    const program = [
      "/usr/bin/perl", "-MPOSIX", "-e",
      'setlocale(LC_ALL, "fr_FR.UTF-8"); print strftime("%A %e %B %Y", gmtime(1245067200)), " $]\\n"',
    ]; // biome-ignore format: a command line
    const expected = await fixture.inside(["chroot", lamp, "/usr/bin/env", "-i", ...program]);
    assert.match(expected.stdout, /^lundi 15 juin 2009 5\.032/);
    const captured = await fixture.cli(["capture", "run", "-m", machine, "-t", "calendar", "--", ...program]);
    assert.equal(captured.status, 0, captured.stderr);
    const result = await fixture.cli(["run", "--rm", "--network", "none", "calendar"]);
    assert.deepEqual(result, { status: 0, stdout: expected.stdout, stderr: "" });
    await fixture.clean();
  });

  it("left host and source as they were", async () => {
    assert.deepEqual(changes(source.listing, (await watchSource(lamp, never)).listing), []);
    assert.deepEqual(changes(host.listing, (await watchHost(never)).listing), []);
  });
});
