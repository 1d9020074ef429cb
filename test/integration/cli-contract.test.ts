// The contract of the command line, held by real runs of bin/tranship: exit statuses, what goes to stdout, one JSON document, flags.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { errorCodes } from "../../src/base/errors.ts";
import { verbs } from "../../src/cli/table/verbs.ts";
import { installRoot } from "../../src/host/native.ts";
import { whyNoCapture } from "../support/capture.ts";
import { makeSmallRoot } from "../support/small-root.ts";

const program = join(installRoot, "bin/tranship");
const skip = whyNoCapture();

function scratch(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tranship cli-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

function tool(args: readonly string[], env: NodeJS.ProcessEnv = {}): Outcome {
  const { TRANSHIP_ROOT: _, ...inherited } = process.env;
  const { status, stdout, stderr } = spawnSync(program, args, {
    env: { ...inherited, ...env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { status, stdout, stderr };
}

test("help: --root may stand before it, and whoever reads it may go", (t) => {
  const root = join(scratch(t), "state");
  const whole = tool(["help"]);
  assert.equal(whole.status, 0);
  for (const words of [["help"], ["--help"]]) {
    const { status, stdout } = tool(["--root", root, ...words]);
    assert.deepEqual([status, stdout], [0, whole.stdout]);
  }
  assert.match(tool(["--root", root, "help", "run"]).stdout, /tranship run/);
  assert.notEqual(tool(["--root", root]).stdout, "");
  for (const words of ["run --help", "help capture", "help"]) {
    const { stdout, stderr } = spawnSync(
      "bash",
      ["-c", `set -o pipefail; "$0" ${words} | head -1 >/dev/null`, program],
      { encoding: "utf8" },
    );
    assert.deepEqual([stdout, stderr], ["", ""], words);
  }
});

test("bin/tranship finds the verb behind flags of every verb and their values", (t) => {
  const directory = scratch(t);
  const told = join(directory, "supervise");
  writeFileSync(told, '#!/bin/sh\necho "supervised: $*"\n', { mode: 0o755 });
  const supervised = (...words: string[]): boolean =>
    tool(words, { TRANSHIP_NATIVE: directory }).stdout.startsWith("supervised: --prepare ");
  for (const before of [
    [],
    ["--root", "/a"],
    ["--root=/a"],
    ["--root", "/a", "--root", "/b"],
    ["--log-level", "debug", "--root", "run", "--no-color", "--yes"],
  ])
    assert.ok(supervised(...before, "run", "nosuch:1"), before.join(" "));
  for (const words of [
    ["--root", "run", "version"],
    ["--log-level", "run", "help"],
    ["help", "run"],
  ])
    assert.ok(!supervised(...words), words.join(" "));
});

test("exit statuses; an error is two lines on stderr and nothing on stdout", (t) => {
  const root = join(scratch(t), "state");
  const cases: readonly (readonly [status: number, code: string, args: readonly string[]])[] = [
    [2, "E_USAGE", ["imagez"]],
    [2, "E_USAGE", ["capture"]],
    [2, "E_USAGE", ["images", "--nosuch"]],
    [2, "E_USAGE", ["images", "extra"]],
    [2, "E_USAGE", ["images", "--format", "{{.Nosuch"]],
    [2, "E_MACHINE_UNKNOWN", ["discover", "nosuch:"]],
    [1, "E_MACHINE_UNREACHABLE", ["discover", "rootfs:/nosuch"]],
    [2, "E_REFERENCE_INVALID", ["verify", "BAD:::"]],
    [1, "E_IMAGE_NOT_FOUND", ["verify", "nosuch"]],
    [1, "E_IMAGE_NOT_FOUND", ["why", "nosuch", "/x"]],
    [2, "E_USAGE", ["why", "nosuch", "x"]],
    [1, "E_IO", ["plan", "show", "/nosuch/plan.yaml"]],
    [2, "E_USAGE", ["capture", "run", "-t", "x"]],
    [2, "E_REFERENCE_INVALID", ["capture", "run", "-t", "X", "--", "/bin/true"]],
    [2, "E_USAGE", ["capture", "run", "-t", "x", "--volume", "data", "--", "/bin/true"]],
    [2, "E_USAGE", ["capture", "run", "-t", "x", "--exclude", "", "--", "/bin/true"]],
    [2, "E_USAGE", ["capture", "run", "-t", "x", "--plan", "p.yaml", "--include", "/a"]],
    [2, "E_USAGE", ["capture", "run", "-t", "x", "--plan", "p.yaml", "--", "/bin/true"]],
    [2, "E_USAGE", ["capture", "installed", "-t", "x"]],
    [2, "E_USAGE", ["lift", "local:", "-t", "x", "--", "/bin/true"]],
    [2, "E_USAGE", ["explain", "E_NOSUCH"]],
    [125, "E_IMAGE_NOT_FOUND", ["run", "nosuch"]],
  ];
  for (const [status, code, args] of cases) {
    for (const placed of [
      ["--root", root, ...args],
      [...args.slice(0, 1), "--root", root, ...args.slice(1)],
    ]) {
      // A group's second word comes directly behind it.
      if (placed[0] !== "--root" && ["capture", "plan"].includes(args[0] ?? "")) continue;
      const outcome = tool(placed);
      const told = `${placed.join(" ")}: ${outcome.stderr}`;
      assert.equal(outcome.status, status, told);
      assert.equal(outcome.stdout, "", told);
      assert.ok(outcome.stderr.startsWith(`error[${code}]: `), told);
      assert.doesNotMatch(outcome.stderr, /\n {4}at |node:internal/, told);
    }
  }
});

test("a usage error in JSON is one line of JSON", () => {
  const { stderr, status } = tool(["--log-format", "json", "imagez"]);
  assert.equal(status, 2);
  assert.equal(JSON.parse(stderr).code, "E_USAGE");
});

test("help has examples first, of verbs and of groups, and ends with 0", () => {
  const words = [...new Set(verbs.flatMap((verb) => [verb.name, verb.name.split(" ")[0] ?? ""]))];
  for (const word of ["capture run", "capture", "plan", "package", "run"].filter((one) =>
    words.includes(one),
  )) {
    const help = tool([...word.split(" "), "--help"]);
    assert.equal(help.status, 0, word);
    assert.match(help.stdout, /^Examples:\n {2}tranship /, word);
    assert.equal(tool(["help", ...word.split(" ")]).stdout, help.stdout, word);
  }
  assert.match(tool([]).stdout, /^Tranship lifts/);
});

test("colours and controls: none without a terminal, none from foreign names", (t) => {
  const machine = join(scratch(t), "m\x1b[31m\x9b");
  mkdirSync(join(machine, "etc"), { recursive: true });
  mkdirSync(join(machine, "usr"));
  writeFileSync(join(machine, "etc/os-release"), 'ID=x\nPRETTY_NAME="\x1b]0;title\x07"\n');
  for (const format of ["table", "json"]) {
    const { stdout, stderr, status } = tool(["discover", `rootfs:${machine}`, "--format", format]);
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stdout + stderr, /[\x00-\x08\x0b-\x1f\x7f-\x9f]/, format);
    if (format === "json") assert.equal(JSON.parse(stdout).machine.address, `rootfs:${machine}`);
  }
});

test("bin/tranship: through links of every kind, from a path with blanks, under its own name, without Node or build", (t) => {
  const place = scratch(t);
  symlinkSync(program, join(place, "a link"));
  symlinkSync("a link", join(place, "b"));
  symlinkSync(join(installRoot, "bin"), join(place, "directory"));
  const plain = tool(["version"]).stdout;
  assert.match(plain, /^tranship \d/);
  for (const name of ["a link", "b", "directory/tranship"])
    assert.equal(spawnSync(join(place, name), ["version"], { encoding: "utf8" }).stdout, plain, name);
  const copy = join(place, "copy of it");
  cpSync(join(installRoot, "bin"), join(copy, "bin"), { recursive: true });
  const unbuilt = spawnSync(join(copy, "bin/tranship"), ["version"], { encoding: "utf8" });
  assert.equal(unbuilt.status, 125);
  assert.match(unbuilt.stderr, /^error\[E_TOOL_MISSING\]: .*has not been built\n {2}hint: /);
  mkdirSync(join(copy, "dist"));
  writeFileSync(join(copy, "dist/start.cjs"), "");
  const env = { PATH: place };
  const nodeless = spawnSync("/bin/sh", [join(copy, "bin/tranship"), "version"], { encoding: "utf8", env });
  assert.equal(nodeless.status, 125);
  assert.match(nodeless.stderr, /^error\[E_TOOL_MISSING\]: no Node\.js 24/);
});

test("explain and version in every form", () => {
  const codes = JSON.parse(tool(["explain", "--format", "json"]).stdout) as { code: string }[];
  assert.deepEqual(
    codes.map((one) => one.code),
    Object.keys(errorCodes),
  );
  assert.equal(tool(["explain", "e_io", "--format", "{{.Code}}"]).stdout, "E_IO\n");
  assert.match(JSON.parse(tool(["version", "--format", "json"]).stdout).node, /^v\d/);
});

test("a package's life in JSON: one document on stdout each time", { skip }, (t) => {
  const base = scratch(t);
  const machine = join(base, "old machine");
  makeSmallRoot(machine);
  const root = join(base, "state: of, it");
  const json = (...args: string[]) => {
    const outcome = tool(["--root", root, ...args, "--format", "json"]);
    assert.ok([0, 4].includes(outcome.status ?? -1), `${args.join(" ")}: ${outcome.stderr}`);
    return { status: outcome.status, value: JSON.parse(outcome.stdout), stderr: outcome.stderr };
  };
  const source = ["-m", `rootfs:${machine}`];
  const command = ["--", "/bin/sh", "-c", 'echo "\\x41"'];
  const capture = (...more: string[]) =>
    tool([
      "--root",
      root,
      "capture",
      "run",
      ...source,
      "-t",
      "small",
      "--format",
      "json",
      ...more,
      ...command,
    ]);
  const dry = capture("--dry-run");
  assert.equal(dry.status, 0, dry.stderr);
  assert.ok(JSON.parse(dry.stdout).groups.length > 0);
  assert.deepEqual(json("images").value, []);
  const made = capture();
  assert.equal(made.status, 0, made.stderr);
  assert.match(made.stderr, /^\\x41$/m, "what the command prints goes to stderr, as it is");
  const { digest, reference } = JSON.parse(made.stdout);
  assert.equal(reference, "small:latest");
  assert.equal(JSON.parse(capture().stdout).digest, digest, "twice the same");
  assert.equal(json("images").value[0].Digest, digest);
  assert.equal(json("verify", "small").value.errors, 0);
  assert.equal(json("why", "small", "/bin/sh").value.packed, true);
  assert.equal(json("why", "small", "/nosuch").status, 4);
  assert.deepEqual(json("package", "show", "small").value.programs[0].command, command.slice(1));
  assert.equal(json("tag", "small", "other:1").value.name, "other:1");
  const archive = join(base, "an archive.tar");
  json("package", "export", "small", "-o", archive, "--dry-run");
  assert.equal(existsSync(archive), false);
  assert.equal(json("package", "export", "small", "-o", archive).value.path, archive);
  assert.deepEqual(json("rmi", "--dry-run", "other:1").value.untagged, ["other:1"]);
  assert.deepEqual(json("rmi", "other:1", "small").value.untagged, ["other:1", "small:latest"]);
  assert.deepEqual(json("images").value, []);
  const lifted = tool([
    "--root",
    root,
    "lift",
    `rootfs:${machine}`,
    "-t",
    "l",
    "--yes",
    "--format",
    "json",
    ...command,
  ]);
  assert.equal(lifted.status, 0, lifted.stderr);
  assert.equal(JSON.parse(lifted.stdout).image.reference, "l:latest");
  assert.match(
    lifted.stderr,
    /^\$ tranship capture run -m '.*old machine' -t l --plan-only -o plan\.yaml -- \/bin\/sh -c 'echo "\\x41"'$/m,
  );
});

test("a capture runs as the user and in the directory that the package will have", { skip }, (t) => {
  const base = scratch(t);
  makeSmallRoot(join(base, "machine"));
  const captureAs = (...flags: string[]) => {
    const source = ["-m", `rootfs:${join(base, "machine")}`, "-t", "x", "--dry-run", ...flags];
    return tool([
      "--root",
      join(base, "state"),
      "capture",
      "run",
      ...source,
      "--",
      "/bin/sh",
      "-c",
      "echo at $PWD; echo > /made; true",
    ]);
  };
  const asRoot = captureAs("--workdir", "/etc");
  assert.match(asRoot.stderr, /^at \/etc$/m);
  assert.doesNotMatch(asRoot.stderr, /ermission denied/);
  assert.match(captureAs("--user", "33:33").stderr, /ermission denied/);
});

test("a reader that goes away harms no capture", { skip }, async (t) => {
  const base = scratch(t);
  makeSmallRoot(join(base, "machine"));
  const root = join(base, "state");
  const args = [
    "--root",
    root,
    "capture",
    "run",
    "-m",
    `rootfs:${join(base, "machine")}`,
    "-t",
    "x",
    "--",
    "/bin/true",
  ];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  child.stderr.destroy();
  const status = await new Promise((resolve) => child.once("exit", resolve));
  assert.equal(status, 0);
  assert.match(tool(["--root", root, "images", "-q"]).stdout, /^[0-9a-f]{12}\n$/);
  assert.deepEqual(readdirSync(join(root, "work")), []);
});

test("a relative --root is one of where the command was given", (t) => {
  const base = scratch(t);
  const outcome = spawnSync(program, ["images", "--root", "state"], { cwd: base, encoding: "utf8" });
  assert.equal(outcome.status, 0, outcome.stderr);
  assert.match(readFileSync(join(base, "state/version.json"), "utf8"), /"state"/);
});
