// The completions in the shells themselves: keys go to an interactive bash and zsh at a terminal, fish is asked what it would offer.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { installRoot } from "../../src/host/native.ts";

const needs = (program: string): string | false => (existsSync(program) ? false : `needs ${program}`);

let place: string;
let env: NodeJS.ProcessEnv;
const tranship = (...words: string[]): string => execFileSync("tranship", words, { encoding: "utf8", env });

before(() => {
  place = mkdtempSync(join(tmpdir(), "tranship-completion-"));
  const bin = join(place, "bin");
  mkdirSync(bin);
  symlinkSync(join(installRoot, "bin/tranship"), join(bin, "tranship"));
  const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
  const path = `${bin}:${inherited.PATH}`;
  env = {
    ...inherited,
    PATH: path,
    TRANSHIP_ROOT: join(place, "state"),
    HOME: place,
    TERM: "dumb",
    ZDOTDIR: place,
  };
  mkdirSync(join(place, "root/etc"), { recursive: true });
  writeFileSync(join(place, "root/etc/passwd"), "root:x:0:0::/:/bin/sh\n");
  tranship("package", "import", join(place, "root"), "guest-book:1");
  for (const shell of ["bash", "zsh", "fish"])
    writeFileSync(join(place, `completion.${shell}`), tranship("completion", shell));
});
after(() => rmSync(place, { recursive: true, force: true }));

/** Each line is typed at a terminal, TAB among its keys, until the shell shows what it ends in; then it is entered. Returns all that was shown. */
function typed(
  shell: readonly string[],
  lines: ReadonlyArray<readonly [keys: string, shows: string]>,
): string {
  const quoted = (keys: string): string => `"${keys.replace(/[$[\]"]/g, "\\$&")}"`;
  const steps = lines.map(
    ([keys, shows]) =>
      `send -- ${quoted(keys)}; expect -ex ${quoted(shows)}; send -- "\\r"; expect -re {status \\d+\\r}`,
  );
  const script = `
    set timeout 60
    spawn -noecho ${shell.join(" ")}
    expect_before timeout { exit 3 } eof { exit 4 }
    send -- "cd ${place}; echo be''gin\\r"
    expect begin
    ${steps.join("\n")}
    expect_before
    send -- "exit\\r"
    expect eof`;
  const { status, stdout, stderr } = spawnSync("expect", ["-c", script], {
    encoding: "utf8",
    env,
    timeout: 200_000,
  });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  return stdout.replaceAll("\r", "");
}

for (const [name, words, load] of [
  [
    "bash",
    ["bash", "--norc", "--noprofile", "-i"],
    "source completion.bash; PROMPT_COMMAND='echo status $?'",
  ],
  [
    "zsh",
    ["zsh", "-f", "-i"],
    "autoload -U compinit; compinit -u -D; source completion.zsh; precmd() { echo status $? }",
  ],
] as const)
  test(`${name} completes verbs, flags, and references at their colon, at a terminal`, {
    skip: needs("/usr/bin/expect") || needs(`/usr/bin/${name}`),
  }, () => {
    const text = typed(words, [
      [load, ""],
      ["tranship versio\t", "n "],
      ["tranship image history guest-book:\t --form\tjso\t", "json"],
      ["tranship verify guest-\t", "book:1"],
    ]);
    assert.match(text, new RegExp(`^${tranship("version").trim().replaceAll(".", "\\.")}$`, "m"));
    assert.match(text, /"Blob": "sha256:/);
    assert.match(text, /guest-book:1: 0 errors/);
    assert.doesNotMatch(text, /status [1-9]/);
  });

test("fish offers words with what they mean, names and files", { skip: needs("/usr/bin/fish") }, () => {
  const offered = (line: string): string =>
    execFileSync(
      "fish",
      ["--no-config", "-c", `source ${place}/completion.fish; complete -C ${JSON.stringify(line)}`],
      {
        encoding: "utf8",
        env,
        cwd: place,
      },
    );
  assert.match(offered("tranship ru"), /^run\tMake an instance of a package and start it\n$/);
  assert.match(offered("tranship verify gu"), /^guest-book:1\t/);
  assert.match(offered("tranship ps --format=j"), /^--format=json/);
  assert.match(offered("tranship plan show completion.f"), /^completion\.fish/);
  assert.equal(offered("tranship doctor "), "");
});

test("nothing is made where no state is, and a broken one is no reason to fail", () => {
  const ask = (root: string, ...words: string[]) =>
    spawnSync("tranship", ["internal", "complete", "--", ...words], {
      encoding: "utf8",
      env: { ...env, TRANSHIP_ROOT: root },
    });
  const none = join(place, "none");
  assert.deepEqual([ask(none, "rmi", "").stdout, existsSync(none)], ["none\n", false]);
  assert.match(ask(none, "--root", join(place, "state"), "rmi", "").stdout, /guest-book:1/);
  const broken = join(place, "broken");
  execFileSync("cp", ["-a", join(place, "state"), broken]);
  for (const name of ["index.json", "index.json.copy"]) writeFileSync(join(broken, "store", name), "{");
  const { status, stdout, stderr } = ask(broken, "rmi", "");
  assert.deepEqual([status, stdout, stderr], [0, "none\n", ""]);
  const unknown = spawnSync("tranship", ["completion", "tcsh"], { encoding: "utf8", env });
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /E_USAGE.*no completion for the shell "tcsh"\n.*bash, zsh, fish/);
});
