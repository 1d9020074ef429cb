// The frame of the hard cases: a program that is hard to lift is run natively, captured in each mode of the tracer, run from its
// package alone, and its package is damaged in the ways that the case is about. What each case varies stands in its table.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { tracerModes } from "../../src/capture/sandbox/tracer.ts";
import { mediaType } from "../../src/formats/oci.ts";
import { installRoot } from "../../src/host/native.ts";
import { buildImage, type ImageLayer } from "../../src/image/build.ts";
import { digestOf } from "../../src/image/digest.ts";
import { openStore } from "../../src/image/store.ts";
import { withSession } from "../../src/image/store-session.ts";
import { type CliResult, type Fixture, makeFixture, whyNot } from "../integration/runtime-fixture.ts";
import { soaking } from "./counts.ts";
import { addText, makeSmallRoot, treeState } from "./small-root.ts";

export interface HardCase {
  /** What it varies: the name of its program in test/hard. */
  name: string;
  title: string;
  /** Puts on the machine what the program is about; the program itself is there already. */
  machine(machine: HardMachine): void;
  /** Default: the program alone. */
  command?: readonly string[];
  /** How the program is compiled; default a dynamic one. Empty: there is none to compile. */
  compile?: readonly string[];
  /** Commands that were not watched and have to do the same in the package. */
  unwatched?: readonly (readonly string[])[];
  /** Needs what only the closure brings. */
  closureOnly?: boolean;
  captureFlags?: readonly string[];
  runFlags?: readonly string[];
  /** More that has to hold of the package. */
  packed?(place: Place): Promise<void>;
  doctored: readonly Doctored[];
}

export interface Doctored {
  what: string;
  /** Shell script, run in the empty directory of one more layer; $MACHINE is the machine's root. */
  layer: string;
  /** The layer lies below all others, as a base image does. */
  base?: boolean;
  /** What `verify` says of it. */
  says: RegExp;
  /** The program itself cannot tell. */
  programPasses?: boolean;
}

export interface Place {
  fixture: Fixture;
  root: string;
  reference: string;
}

/** Packages are damaged that were made in the first one. `npm test` takes one of the others for each case, in turn. */
const modes = tracerModes;

const sources = join(installRoot, "test/hard");

/** What older kernels lack, one by one and together, each in a mode that has a way round it; `npm run soak` alone tries them. */
const lacking: readonly (readonly [mode: string, without: string])[] = [
  ["seccomp", "vm-readv"],
  ["seccomp", "syscall-info"],
  ["seccomp", "pidfd"],
  ["seccomp", "openat2"],
  ["notify", "sync-wake-up"],
  ["plain", "seize"],
  ["plain", "exit-kill"],
  ["plain", "seize,exit-kill,vm-readv,syscall-info,pidfd,openat2"],
];

/** A small machine that is filled by shell and C. */
export class HardMachine {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
    makeSmallRoot(root);
    for (const name of ["srv", "etc/hard"]) mkdirSync(join(root, name), { recursive: true });
  }

  /** Bash, in the machine's root as its working directory; $SOURCES is test/hard. */
  shell(script: string): void {
    execFileSync("bash", ["-euc", script], {
      cwd: this.root,
      env: { ...process.env, SOURCES: sources },
      stdio: ["ignore", "ignore", "inherit"],
    });
  }

  text(files: Readonly<Record<string, string | Uint8Array>>): void {
    addText(this.root, files);
  }

  /** Compiles test/hard/NAME.c to a path of the machine, with the libraries that it needs. */
  compile(name: string, path: string, flags: readonly string[] = []): void {
    const output = join(this.root, path);
    mkdirSync(dirname(output), { recursive: true });
    execFileSync(
      "gcc",
      ["-D_GNU_SOURCE", "-O1", "-Wall", "-Werror", "-o", output, join(sources, `${name}.c`), ...flags],
      {
        stdio: ["ignore", "ignore", "inherit"],
      },
    );
    if (!flags.includes("-static")) this.libraries(output);
  }

  libraries(program: string): void {
    const listed = execFileSync("ldd", [program], { encoding: "latin1" });
    for (const [, path = ""] of listed.matchAll(/(\/\S+) \(0x/g)) {
      if (existsSync(join(this.root, path))) continue;
      mkdirSync(dirname(join(this.root, path)), { recursive: true });
      cpSync(realpathSync(path), join(this.root, path));
    }
  }
}

export function whyNoHardCases(): string | false {
  for (const tool of [
    "/usr/bin/gcc",
    "/usr/bin/ldd",
    "/usr/bin/setfattr",
    "/usr/bin/setfacl",
    "/sbin/setcap",
  ])
    if (!existsSync(tool)) return `needs ${tool}`;
  return whyNot() ?? false;
}

/** Registers the tests of a table. */
export function testHardCases(
  title: string,
  cases: readonly HardCase[],
  skip: string | false = whyNoHardCases(),
): void {
  describe(title, { skip, timeout: 1_200_000 }, () => {
    let fixture: Fixture;
    let base: string;
    before(async () => {
      base = mkdtempSync(join(tmpdir(), "tranship-hard-"));
      fixture = await makeFixture();
    });
    after(async () => {
      await fixture?.remove();
      rmSync(base, { recursive: true, force: true });
    });
    for (const [index, one] of cases.entries()) {
      const tried = soaking ? modes : [modes[0], modes[1 + (index % (modes.length - 1))] ?? modes[0]];
      describe(one.title, () => {
        const trial = new Trial(one, () => ({ fixture, base }));
        before(() => trial.prepare());
        for (const mode of tried)
          it(`passes while it is traced (${mode})`, async () => await trial.traced(mode));
        for (const [mode, without] of soaking ? lacking : [])
          it(`passes while it is traced (${mode} without ${without})`, async () =>
            await trial.tracedWithout(mode, without));
        it("passes in its package alone", async () => await trial.alone());
        for (const doctored of soaking ? one.doctored : one.doctored.slice(0, 1))
          it(`notices ${doctored.what}`, async () => await trial.notices(doctored));
        after(async () => await fixture.clean());
      });
    }
  });
}

export function commandOf(one: HardCase): readonly string[] {
  return one.command ?? [`/usr/bin/${one.name}`];
}

/** The machine of a case below `base`; returns its root. */
export function makeHardMachine(one: HardCase, base: string): string {
  const root = join(base, one.name);
  const machine = new HardMachine(root);
  if (existsSync(join(sources, `${one.name}.c`)))
    machine.compile(one.name, `usr/bin/${one.name}`, one.compile ?? []);
  one.machine(machine);
  return root;
}

/** In a copy of the root on an ordinary file system, with nothing of ours. */
export async function runNative(
  fixture: Fixture,
  { root, base }: { root: string; base: string },
  command: readonly string[],
): Promise<CliResult> {
  const copy = mkdtempSync(join(base, "native-"));
  execFileSync("cp", ["-a", "--reflink=auto", `${root}/.`, copy]);
  const script = `set -e; root=$1; shift; mkdir -p "$root/proc" "$root/dev"
    mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"; ip link set lo up
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root chroot "$root" "$@"`;
  const words = ["unshare", "-m", "-p", "-n", "-f", "--kill-child", "sh", "-c", script, "sh", copy];
  try {
    return await fixture.inside([...words, ...command]);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

class Trial {
  readonly #case: HardCase;
  readonly #shared: () => { fixture: Fixture; base: string };
  #machine = "";
  #native: CliResult | undefined;
  #doctored = 0;

  constructor(one: HardCase, shared: () => { fixture: Fixture; base: string }) {
    this.#case = one;
    this.#shared = shared;
  }

  get #command(): readonly string[] {
    return commandOf(this.#case);
  }

  get #fixture(): Fixture {
    return this.#shared().fixture;
  }

  async prepare(): Promise<void> {
    this.#machine = makeHardMachine(this.#case, this.#shared().base);
    this.#native = await this.#runNative(this.#command);
    assert.equal(this.#native.status, 0, this.#native.stdout + this.#native.stderr);
  }

  #runNative(command: readonly string[]): Promise<CliResult> {
    return runNative(this.#fixture, { root: this.#machine, base: this.#shared().base }, command);
  }

  #reference(mode: string, closure: boolean): string {
    return `${this.#case.name}-${mode}${closure ? "" : "-traced-only"}`;
  }

  async traced(mode: string): Promise<void> {
    const before = treeState(this.#machine);
    // Without closure the trace alone has to bring everything.
    const bare = this.#case.closureOnly === true ? [] : [false];
    const ways = soaking ? [true, ...bare] : mode === modes[0] ? [true] : bare;
    for (const closure of ways) {
      const captured = await this.#fixture.cli([
        ...["capture", "run", "-m", `rootfs:${this.#machine}`, "-t", this.#reference(mode, closure)],
        ...["--tracer", mode],
        ...(closure ? [] : ["--no-closure"]),
        ...(this.#case.captureFlags ?? []),
        "--",
        ...this.#command,
      ]);
      assert.equal(captured.status, 0, captured.stdout + captured.stderr);
      assert.ok(
        captured.stderr.includes(this.#native?.stdout ?? "?"),
        `traced:\n${captured.stderr}\nnatively:\n${this.#native?.stdout}`,
      );
    }
    assert.deepEqual(treeState(this.#machine), before, "the machine is as it was");
  }

  /** The trace alone has to bring everything, where a case allows it; its package runs and is removed. */
  async tracedWithout(mode: string, without: string): Promise<void> {
    const reference = `lacking-${this.#case.name}`;
    const captured = await this.#fixture.cli(
      [
        ...["capture", "run", "-m", `rootfs:${this.#machine}`, "-t", reference, "--tracer", mode],
        ...(this.#case.closureOnly === true ? [] : ["--no-closure"]),
        ...(this.#case.captureFlags ?? []),
        "--",
        ...this.#command,
      ],
      { env: { TRANSHIP_TRACER_WITHOUT: without } },
    );
    assert.equal(captured.status, 0, captured.stdout + captured.stderr);
    assert.ok(captured.stderr.includes(this.#native?.stdout ?? "?"), captured.stderr);
    assert.deepEqual(await this.#runPackage(reference), this.#native);
    await this.#fixture.cli(["rmi", reference]);
  }

  async alone(): Promise<void> {
    const { root } = this.#fixture;
    const packages = openStore(root)
      .names()
      .map((one) => one.name)
      .filter((name) => name.startsWith(`${this.#case.name}-`));
    assert.ok(packages.length > 0, "no package was made");
    for (const reference of packages) {
      const verified = await this.#fixture.cli(["verify", reference]);
      assert.match(verified.stdout, /: 0 errors,/, verified.stdout);
      assert.deepEqual(await this.#runPackage(reference), this.#native, reference);
      await this.#case.packed?.({ fixture: this.#fixture, root: this.#machine, reference });
    }
    for (const command of this.#case.unwatched ?? []) {
      const native = await this.#runNative(command);
      assert.equal(native.status, 0, native.stdout + native.stderr);
      assert.deepEqual(await this.#runPackage(this.#reference("seccomp", true), command), native);
    }
  }

  async #runPackage(reference: string, command: readonly string[] = []): Promise<CliResult> {
    return await this.#fixture.cli(["run", "--rm", ...(this.#case.runFlags ?? []), reference, ...command]);
  }

  async notices(doctored: Doctored): Promise<void> {
    const reference = `${this.#case.name}-doctored-${++this.#doctored}`;
    await this.#doctor(doctored, reference);
    const verified = await this.#fixture.cli(["verify", reference]);
    assert.equal(verified.status, 4, verified.stdout + verified.stderr);
    assert.match(verified.stdout, doctored.says);
    const runs = await this.#runPackage(reference);
    const same = runs.status === this.#native?.status && runs.stdout === this.#native.stdout;
    assert.equal(same, doctored.programPasses === true, runs.stdout + runs.stderr);
  }

  /** The package with one more layer, as other people's tools would add it. */
  async #doctor(doctored: Doctored, reference: string): Promise<void> {
    const work = mkdtempSync(join(this.#shared().base, "layer-"));
    writeFileSync(join(work, "script"), doctored.layer);
    mkdirSync(join(work, "layer"));
    execFileSync("bash", ["-eu", join(work, "script")], {
      cwd: join(work, "layer"),
      env: { ...process.env, MACHINE: this.#machine },
    });
    // Directories on the way are no part of it.
    const pack = `find . -mindepth 1 ! -type d -print0 -o -type d -empty -print0 | sort -z |
      tar --null --no-recursion --files-from=- --xattrs --xattrs-include='*' --acls --sparse --format=posix --numeric-owner -cf -`;
    const tar = execFileSync("bash", ["-euc", pack], { cwd: join(work, "layer"), maxBuffer: 256 << 20 });
    const store = openStore(this.#fixture.root);
    const image = store.image(this.#reference("seccomp", true));
    await withSession(store, async (session) => {
      const layer: ImageLayer = {
        descriptor: await session.put(mediaType.layer, tar),
        diffId: digestOf(tar),
        origin: "app",
      };
      const own = image.layers.map((one) => ({ ...one, origin: "app" as const }));
      await buildImage(session, {
        reference,
        layers: doctored.base === true ? [layer, ...own] : [...own, layer],
        config: image.config.config ?? {},
        architecture: "amd64",
        descriptorYaml: store.descriptorYaml(image) ?? "",
      });
    });
  }
}
