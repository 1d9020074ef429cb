// The validation programs of the Open Container Initiative: github.com/opencontainers/runtime-tools, in a checkout that TRANSHIP_RUNTIME_TOOLS names.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupDirectories } from "../../src/host/cgroup.ts";

const checkout = process.env.TRANSHIP_RUNTIME_TOOLS;

/** The variable with which programs built by `withBase` are told the configuration that they start from. */
const baseVariable = "TRANSHIP_OCI_BASE";

export function whyNoValidation(): string | undefined {
  if (checkout === undefined || !existsSync(join(checkout, "cmd/runtimetest")))
    return "needs TRANSHIP_RUNTIME_TOOLS, a checkout of github.com/opencontainers/runtime-tools (Debian 12's go builds commits up to 260e151)";
  if (spawnSync("go", ["version"]).status !== 0) return "needs go (golang-go)";
  if (!existsSync("/usr/sbin/runc")) return "needs runc";
  return undefined;
}

/** What differs from run to run in a configuration, and what a bundle is. */
export interface OciConfig {
  annotations?: Record<string, string>;
  hostname?: string;
  process: {
    args: string[];
    env: string[];
    rlimits?: { type: string; soft: number; hard: number }[];
    [other: string]: unknown;
  };
  root: { path: string; readonly: boolean };
  mounts: { destination: string; source: string; type?: string; options?: string[] }[];
  linux: {
    cgroupsPath?: string;
    maskedPaths?: string[];
    namespaces: { type: string; path?: string }[];
    seccomp?: { listenerPath?: string; listenerMetadata?: string; syscalls: { action: string }[] };
    [other: string]: unknown;
  };
}

function go(directory: string, ...words: string[]): void {
  execFileSync("go", words, {
    cwd: directory,
    env: { ...process.env, GOFLAGS: "-mod=vendor", GOPROXY: "off", GOTOOLCHAIN: "local" },
    stdio: ["ignore", "ignore", "inherit"],
  });
}

export class ValidationPrograms {
  readonly directory: string;
  readonly #bundles: string;

  /** A copy of the checkout in `directory`, with runtimetest built. */
  constructor(directory: string) {
    this.directory = directory;
    this.#bundles = join(directory, "bundles");
    execFileSync("cp", ["-a", `${checkout}/.`, directory]);
    mkdirSync(this.#bundles);
    go(directory, "build", "-tags", "netgo osusergo", "-o", "runtimetest", "./cmd/runtimetest");
  }

  get runtimetest(): string {
    return join(this.directory, "runtimetest");
  }

  names(): string[] {
    return readdirSync(join(this.directory, "validation")).filter((name) =>
      existsSync(join(this.directory, "validation", name, `${name}.go`)),
    );
  }

  /** Builds all programs; `withBase`: they start from a configuration that they are told instead of one of their own. */
  build(withBase: boolean): void {
    const file = join(this.directory, "validation/util/test.go");
    const text = readFileSync(file, "utf8");
    const own = "generate.New(runtime.GOOS)";
    if (!text.includes(own)) throw new Error(`${file}: ${own} is not there: another version of the programs`);
    if (withBase)
      writeFileSync(file, text.replace(own, `generate.NewFromFile(os.Getenv("${baseVariable}"))`));
    for (const name of this.names())
      go(this.directory, "build", "-o", `validation/${name}/${name}.t`, `validation/${name}/${name}.go`);
    writeFileSync(file, text);
  }

  /** Control groups that they have left. */
  removeGroups(): void {
    for (const path of ["testdir/cgrouptest", "cgrouptest", "testdir"].flatMap((name) =>
      cgroupDirectories(name),
    ))
      if (existsSync(path)) rmdirSync(path);
  }

  /** What one program finds wrong with runc. */
  validate(name: string, base?: string): Findings {
    const { status, stdout, stderr } = spawnSync("unshare", ["--mount", `validation/${name}/${name}.t`], {
      cwd: this.directory,
      encoding: "utf8",
      timeout: 120_000,
      // They leave their bundles behind; their mounts go with the namespace.
      env: {
        ...process.env,
        RUNTIME: "runc",
        TMPDIR: this.#bundles,
        ...(base === undefined ? {} : { [baseVariable]: base }),
      },
    });
    const found = findings(stdout);
    if (status !== 0) found.failed.add(`ended with ${status}: ${stderr.split("\n")[0]}`);
    return found;
  }
}

export interface Findings {
  passed: number;
  /** What "not ok" lines say, without their numbers. */
  failed: Set<string>;
}

/** Of output in the Test Anything Protocol. A line that says TODO is no judgement. */
export function findings(tap: string): Findings {
  const found: Findings = { passed: 0, failed: new Set() };
  for (const line of tap.split("\n")) {
    const parts = /^(not )?ok \d+(?: - (.*?))?(?: # (\w+).*)?$/.exec(line);
    if (parts === null || parts[3] === "TODO") continue;
    if (parts[1] === undefined) found.passed++;
    else found.failed.add(parts[2] ?? line);
  }
  return found;
}
