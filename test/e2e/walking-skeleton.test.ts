// The shortest way through all stages: a program of another root file system is captured and run, and says the same.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Fixture, makeFixture, whyNot } from "../integration/runtime-fixture.ts";

/** Reads a file beside its arguments, so that what is packed is more than the program. */
const program = `
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
	char line[80] = "";
	FILE *file = fopen("/etc/greeting", "r");
	if (!file || !fgets(line, sizeof line, file))
		return 9;
	printf("%s", line);
	for (int i = 1; i < argc; i++)
		printf("%d: %s\\n", i, argv[i]);
	fprintf(stderr, "to stderr\\n");
	return argc > 3 ? atoi(argv[3]) : 0;
}
`;

function whyNotHere(): string | undefined {
  for (const tool of ["/usr/bin/musl-gcc", "/usr/bin/gcc", "/usr/bin/ldd"])
    if (!existsSync(tool)) return `needs ${tool}`;
  return whyNot();
}

/** A machine of two programs and one file of configuration. */
function makeMachine(top: string): void {
  for (const name of ["bin", "etc", "tmp", "proc", "dev", "sys", "root"])
    mkdirSync(join(top, name), { recursive: true });
  writeFileSync(join(top, "etc/greeting"), "hello from the old machine\n");
  const compile = (compiler: string, name: string, ...flags: string[]): void => {
    execFileSync(compiler, ["-O1", "-x", "c", "-o", join(top, "bin", name), "-", ...flags], {
      input: program,
    });
  };
  compile("musl-gcc", "static", "-static");
  compile("gcc", "dynamic");
  const libraries = execFileSync("ldd", [join(top, "bin/dynamic")], { encoding: "utf8" });
  for (const [library] of libraries.matchAll(/\/\S+/g)) {
    mkdirSync(join(top, dirname(library)), { recursive: true });
    copyFileSync(library, join(top, library));
  }
}

const skip = whyNotHere() ?? false;

describe("capture, then run", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let machine: string;

  before(async () => {
    machine = mkdtempSync(join(tmpdir(), "tranship-machine-"));
    makeMachine(machine);
    fixture = await makeFixture();
  });
  after(async () => {
    await fixture?.remove();
    rmSync(machine, { recursive: true, force: true });
  });

  for (const kind of ["static", "dynamic"]) {
    it(`captures a ${kind} program`, async () => {
      const command = [`/bin/${kind}`, "one", "two words"];
      const captured = await fixture.cli([
        "capture",
        "run",
        "-m",
        `rootfs:${machine}`,
        "-t",
        kind,
        "--",
        ...command,
      ]);
      assert.equal(captured.status, 0, captured.stderr);
      const verified = await fixture.cli(["verify", kind]);
      assert.equal(verified.stdout, `${kind}: 0 errors, 0 warnings\n`);
    });

    for (const runtime of ["/usr/bin/crun", "/usr/sbin/runc"]) {
      const absent = existsSync(runtime) ? false : `needs ${runtime}`;
      it(`runs the ${kind} program with ${basename(runtime)}`, { skip: absent }, async () => {
        const env = { TRANSHIP_RUNTIME: runtime };
        const native = await fixture.inside(["chroot", machine, `/bin/${kind}`, "one", "two words"]);
        assert.equal(native.stdout, "hello from the old machine\n1: one\n2: two words\n");
        assert.deepEqual(await fixture.cli(["run", "--rm", kind], { env }), native);
        const other = ["chroot", machine, `/bin/${kind}`, "a", "b", "5"];
        const failing = await fixture.inside(other);
        assert.equal(failing.status, 5);
        assert.deepEqual(await fixture.cli(["run", "--rm", kind, ...other.slice(2)], { env }), failing);
        await fixture.clean();
      });
    }
  }

  it("packs what the program needs and nothing else of the machine", async () => {
    writeFileSync(join(machine, "etc/unrelated"), "not asked for\n");
    const left = await fixture.cli(["why", "dynamic", "/etc/unrelated"]);
    assert.equal(left.status, 4);
    const packed = await fixture.cli(["why", "dynamic", "/etc/greeting"]);
    assert.match(packed.stdout, /traced: read by \/bin\/dynamic/);
  });
});
